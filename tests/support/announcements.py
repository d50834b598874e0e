"""What mails with a one-time code say, in many languages: sentences of our own, with places for the numbers."""

from __future__ import annotations

from dataclasses import dataclass

ARABIC, PERSIAN, DEVANAGARI, BENGALI = "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "০১২৩৪৫৬৭৮৯"
THAI, FULL_WIDTH, BURMESE, KHMER = "๐๑๒๓๔๕๖๗๘๙", "０１２３４５６７８９", "၀၁၂၃၄၅၆၇၈၉", "០១២៣៤៥៦៧៨៩"


@dataclass(frozen=True)
class Language:
    """`says` and `asks` hold the code; `subject` announces one that `bids` holds without naming it.

    `others` are numbers that are none: an order's, a customer's, a telephone's.
    """

    says: str
    asks: str
    subject: str
    bids: str
    others: tuple[str, ...]
    digits: str = "0123456789"

    def written(self, code: str) -> str:
        """A code in the digits of the language."""
        return code.translate(str.maketrans("0123456789", self.digits))


LANGUAGES = {
    "en": Language(
        "Your code is {}.", "Please enter the code {} on the page.", "Your sign-in code", "Type {} to go on.",
        ("Order {}", "Customer number: {}", "Your ticket {} stays open", "Phone: {}"),
    ),
    "de": Language(
        "Ihr Anmeldecode lautet {}.", "Bitte geben Sie den Code {} ein.", "Ihr Sicherheitscode", "Tippen Sie {} ein.",
        ("Bestellung {}", "Kundennummer: {}", "Zu Ihrem Ticket {}", "Telefon: {}"),
    ),
    "fr": Language(
        "Votre code est {}.", "Saisissez le code {} sur la page.", "Votre code de connexion", "Tapez {} pour entrer.",
        ("Commande n° {}", "Numéro de client : {}", "Votre ticket {} est ouvert", "Téléphone : {}"),
    ),
    "es": Language(
        "Tu código es {}.", "Introduce el código {} en la página.", "Tu codigo de acceso", "Escribe {} para entrar.",
        ("Pedido {}", "Número de cliente: {}", "Su ticket {} sigue abierto", "Teléfono: {}"),
    ),
    "pt": Language(
        "O seu código é {}.", "Digite o código {} na página.", "Código de verificação", "Digite {} para entrar.",
        ("Pedido nº {}", "Número de cliente: {}", "Encomenda {}", "Telefone: {}"),
    ),
    "it": Language(
        "Il tuo codice è {}.", "Inserisci il codice {} nella pagina.", "Codice di accesso", "Scrivi {} per entrare.",
        ("Ordine {}", "Numero cliente: {}", "Fattura n. {}", "Telefono: {}"),
    ),
    "nl": Language(
        "Je code is {}.", "Vul de code {} in op de pagina.", "Je inlogcode", "Typ {} om verder te gaan.",
        ("Bestelling {}", "Klantnummer: {}", "Factuurnummer {}", "Telefoon: {}"),
    ),
    "sv": Language(
        "Din kod är {}.", "Skriv in koden {} på sidan.", "Din inloggningskod", "Skriv {} så är du inne.",
        ("Beställning {}", "Kundnummer: {}", "Ordernummer {}", "Telefon: {}"),
    ),
    "da": Language(
        "Din kode er {}.", "Indtast koden {} på siden.", "Din bekræftelseskode", "Tast {} for at fortsætte.",
        ("Ordre {}", "Kundenummer: {}", "Ordrenummer {}", "Telefon: {}"),
    ),
    "nb": Language(
        "Koden din er {}.", "Skriv inn koden {} på siden.", "Engangskode", "Tast {} for å fortsette.",
        ("Ordre {}", "Kundenummer: {}", "Bestilling {}", "Telefon: {}"),
    ),
    "fi": Language(
        "Koodisi on {}.", "Kirjoita koodi {} sivulle.", "Vahvistuskoodisi", "Kirjoita {} ja olet perillä.",
        ("Tilaus {}", "Asiakasnumero: {}", "Tilausnumero {}", "Puhelin: {}"),
    ),
    "pl": Language(
        "Twój kod to {}.", "Wpisz kod {} na stronie.", "Kod weryfikacyjny", "Wpisz {} i gotowe.",
        ("Zamówienie {}", "Numer klienta: {}", "Zgłoszenie nr {}", "Telefon: {}"),
    ),
    "cs": Language(
        "Váš kód je {}.", "Zadejte kód {} na stránce.", "Ověřovací kód", "Napište {} a je hotovo.",
        ("Objednávka č. {}", "Číslo zákazníka: {}", "Objednávka {}", "Telefon: {}"),
    ),
    "sk": Language(
        "Váš kód je {}.", "Zadajte kód {} na stránke.", "Overovací kód", "Napíšte {} a je hotovo.",
        ("Objednávka č. {}", "Číslo zákazníka: {}", "Objednávka {}", "Telefón: {}"),
    ),
    "hu": Language(
        "Az Ön kódja: {}.", "Írja be a(z) {} kódot az oldalon.", "Belépési kód", "Írja be: {}.",
        ("Rendelés: {}", "Ügyfélszám: {}", "Rendelésszám: {}", "Telefon: {}"),
    ),
    "ro": Language(
        "Codul dumneavoastră este {}.", "Introduceți codul {} pe pagină.", "Cod de autentificare",
        "Scrieți {} și gata.",
        ("Comanda {}", "Număr client: {}", "Comanda nr. {}", "Telefon: {}"),
    ),
    "ru": Language(
        "Ваш код — {}.", "Введите код {} на странице.", "Код подтверждения", "Введите {}, чтобы войти.",
        ("Заказ {}", "Номер клиента: {}", "Заказ № {}", "Телефон: {}"),
    ),
    "uk": Language(
        "Ваш код: {}.", "Введіть код {} на сторінці.", "Код підтвердження", "Введіть {}, щоб увійти.",
        ("Замовлення {}", "Номер клієнта: {}", "Замовлення № {}", "Телефон: {}"),
    ),
    "bg": Language(
        "Вашият код е {}.", "Въведете код {} на страницата.", "Код за потвърждение", "Въведете {}, за да влезете.",
        ("Поръчка {}", "Клиентски номер: {}", "Поръчка № {}", "Телефон: {}"),
    ),
    "el": Language(
        "Ο κωδικός σας είναι {}.", "Πληκτρολογήστε τον κωδικό {} στη σελίδα.", "Κωδικός επαλήθευσης",
        "Πληκτρολογήστε {} για να συνεχίσετε.",
        ("Παραγγελία {}", "Αριθμός πελάτη: {}", "Παραγγελία αρ. {}", "Τηλ.: {}"),
    ),
    "tr": Language(
        "Kodunuz: {}.", "Sayfaya {} kodunu girin.", "Giriş kodunuz", "Devam etmek için {} yazın.",
        ("Sipariş {}", "Müşteri numarası: {}", "{} numaralı siparişiniz", "Telefon: {}"),
    ),
    "ar": Language(
        "رمزك هو {}.", "أدخل الرمز {} في الصفحة.", "رمز التحقق", "اكتب {} للمتابعة.",
        ("الطلب {}", "رقم العميل: {}", "رقم الطلب {}", "هاتف: {}"), ARABIC,
    ),
    "fa": Language(
        "کد شما {} است.", "کد {} را در صفحه وارد کنید.", "کد ورود", "برای ادامه {} را بنویسید.",
        ("سفارش {}", "شماره مشتری: {}", "شماره سفارش {}", "تلفن: {}"), PERSIAN,
    ),
    "ur": Language(
        "آپ کا کوڈ {} ہے۔", "صفحے پر کوڈ {} لکھیں۔", "تصدیقی کوڈ", "جاری رکھنے کے لیے {} لکھیں۔",
        ("آرڈر نمبر {}", "کسٹمر نمبر: {}", "فون: {}"), PERSIAN,
    ),
    "he": Language(
        "הקוד שלך הוא {}.", "הקלידו את הקוד {} בדף.", "קוד אימות", "הקלידו {} כדי להמשיך.",
        ("הזמנה {}", "מספר לקוח: {}", "מספר הזמנה {}", "טלפון: {}"),
    ),
    "hi": Language(
        "आपका कोड {} है।", "पेज पर कोड {} डालें।", "सत्यापन कोड", "आगे बढ़ने के लिए {} लिखें।",
        ("ऑर्डर {}", "ग्राहक संख्या: {}", "ऑर्डर संख्या {}", "फ़ोन: {}"), DEVANAGARI,
    ),
    "bn": Language(
        "আপনার কোড {}।", "পাতায় কোড {} লিখুন।", "যাচাইকরণ কোড", "এগিয়ে যেতে {} লিখুন।",
        ("অর্ডার {}", "গ্রাহক নম্বর: {}", "অর্ডার নম্বর {}", "ফোন: {}"), BENGALI,
    ),
    "ta": Language(
        "உங்கள் குறியீடு: {}.", "பக்கத்தில் குறியீடு {} ஐ உள்ளிடவும்.", "சரிபார்ப்புக் குறியீடு", "தொடர {} என எழுதவும்.",
        ("ஆர்டர் எண் {}", "வாடிக்கையாளர் எண்: {}"),
    ),
    "te": Language(
        "మీ కోడ్ {}.", "పేజీలో కోడ్ {} రాయండి.", "ధృవీకరణ కోడ్", "కొనసాగడానికి {} రాయండి.",
        ("ఆర్డర్ సంఖ్య {}", "కస్టమర్ సంఖ్య: {}"),
    ),
    "th": Language(
        "รหัสของคุณคือ {}", "กรอกรหัส {} ในหน้านี้", "รหัสยืนยัน", "พิมพ์ {} เพื่อไปต่อ",
        ("คำสั่งซื้อ {}", "หมายเลขลูกค้า: {}", "โทร: {}"), THAI,
    ),
    "vi": Language(
        "Mã của bạn là {}.", "Nhập mã {} trên trang.", "Mã xác minh", "Gõ {} để tiếp tục.",
        ("Đơn hàng {}", "Số khách hàng: {}", "Đơn hàng số {}", "Điện thoại: {}"),
    ),
    "id": Language(
        "Kode Anda adalah {}.", "Masukkan kode {} di halaman ini.", "Kode verifikasi", "Ketik {} untuk lanjut.",
        ("Pesanan {}", "Nomor pelanggan: {}", "Nomor pesanan {}", "Telepon: {}"),
    ),
    "ja": Language(
        "認証コードは{}です。", "画面にコード「{}」を入力してください。", "確認コードのお知らせ",
        "{}と入力してください。",
        ("ご注文番号{}", "お客様番号：{}", "注文 {}", "電話：{}"), FULL_WIDTH,
    ),
    "zh-hans": Language(
        "您的验证码是{}，请勿泄露。", "请在页面输入验证码{}。", "登录验证码", "请输入 {} 继续。",
        ("订单号{}", "客户编号：{}", "订单 {}", "电话：{}"),
    ),
    "zh-hant": Language(
        "您的驗證碼為 {}。", "請在頁面輸入驗證碼 {}。", "登入驗證碼", "請輸入 {} 繼續。",
        ("訂單編號 {}", "客戶號碼：{}", "訂單 {}", "電話：{}"), FULL_WIDTH,
    ),
    "ko": Language(
        "인증번호는 {}입니다.", "화면에 보안 코드 {}을 입력하세요.", "로그인 코드", "{}을 입력하세요.",
        ("주문 {}", "고객 번호: {}", "주문번호 {}", "전화: {}"),
    ),
    "my": Language("သင့်ကုဒ်: {}", "ကုဒ် {} ကို ရိုက်ထည့်ပါ။", "OTP ကုဒ်", "{} ကို ရိုက်ပါ။", (), BURMESE),
    "km": Language("លេខកូដរបស់អ្នក៖ {}", "បញ្ចូលកូដ {} នៅទំព័រ។", "លេខកូដ OTP", "វាយ {} ដើម្បីបន្ត។", (), KHMER),
}  # fmt: skip

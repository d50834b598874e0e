"""Words for a code that is typed once, in the languages of the world: stems, so that endings do not count.

A stem alone says little: there are order codes and area codes. `ANNOUNCING` finds the word; what stands beside
it says whether the code opens something (`OPENING`, `YOURS`) or is one of the others (`OTHER`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CERTAIN = (
    r"\bm?otps?\b|\b[mep]?tan\b|\be?tac\b|\btotp\b|\bpasscodes?\b|\b2fa\b|\bone[- ]?time[- ](?:pass\w{0,6}|p/?w|pin"
    r"|key)"
    r"|\beinmal(?:pass|kenn)w\w{1,5}|\bm?tan-?(?:code|nummer)"
    r"|验证码|驗證碼|校验码|校驗碼|动态码|动态密码|動態密碼|動態碼|认证码|認證碼|確認碼|确认码|识别码|安全码|安全碼"
    r"|授权码|授權碼|口令"
    r"|(?:认证|認證|验证|驗證|認証|確認|暗証)(?:番号|号码|號碼|号)"
    r"|ワンタイム|(?:認証|確認|セキュリティ|ログイン|検証|本人確認)(?:用)?コード|パスコード|인증 ?번호|ओटीपी|ওটিপি"
)
_SOME = (
    r"[ck][oóôöõ]{1,2}[dð]|кодо?|көд|κωδικ|կոդ|კოდი|კოდ|(?<![נפ])קוד|رمز|(?<!\w)(?:کد|كود|کود|کوڈ|کوډ|کۆد)(?!\w)"
    r"|कोड|कूट|কোড|কোড|ਕੋਡ|કોડ|କୋଡ|குறியீ|கோட்|కోడ్|ಕೋಡ್|കോഡ്|කේත|รหัส|ລະຫັດ|លេខកូដ|កូដ|ကုဒ်|\bmã\b|コード|暗証"
    r"|代码|代碼|코드|ኮድ|(?<![^\W\d_])pin(?![^\W\d_])|\bpin-?[ck]od\w{0,8}"
    r"|\b(?:verification|confirmation|security) number|(?:رقم|شماره) (?:ال)?(?:تحقق|تأكيد|تایید)"
)
_PASSWORDS = (
    r"\bpassw\w{1,6}|\bkennw[oö]rt\w{0,3}|\bwachtwoord\w{0,4}|\blösenord\w{0,4}|\badgangskode\w{0,2}|\bpassord\w{0,2}"
    r"|\bmots? de passe|\bcontraseñas?|\bclaves?\b|\bsenhas?\b|\bpalavra-passe|\bhasł[oaem]\w{0,2}"
    r"|\bhesl[oaeu]\w{0,2}"
    r"|\bjelszó?\w{0,4}|\bjelszav\w{0,4}|[şs]ifre\w{0,6}|\bparol[aăey]?\w{0,4}|парол\w{0,3}|\bsalasan\w{0,6}"
    r"|\blozink\w{0,3}|\bgesl[oa]\w{0,2}|\bmsimbo|\bnenosiri|\bkata sandi|\bmật khẩu|סיסמ|パスワード|密码|密碼"
    r"|비밀번호"
)
_ANNOUNCING = f"(?P<certain>{_CERTAIN})|(?P<password>{_PASSWORDS})|(?:{_SOME})"
ANNOUNCING = re.compile(_ANNOUNCING, re.IGNORECASE)
"""The words themselves; a match may lie within a word, as in German, Finnish and Swedish."""
_IN_LOWER_CASE = re.compile(_ANNOUNCING)

_STEMS: Final = {
    "otp": (1, 0),
    "tan": (1, 0),
    "tac": (1, 0),
    "2fa": (0,),
    "time": (4, 3),
    "einmal": (0,),
    "pass": (8, 7, 0),
    "pin": (0,),
    " number": (12, 8),
    "kennw": (0,),
    "wachtwoord": (0,),
    "adgangskode": (0,),
    "contrase": (0,),
    "clave": (0,),
    "senha": (0,),
    "hesl": (0,),
    "jelsz": (0,),
    "ifre": (1,),
    "parol": (0,),
    "salasan": (0,),
    "lozink": (0,),
    "gesl": (0,),
    "msimbo": (0,),
    "nenosiri": (0,),
    "kata sandi": (0,),
}
"""Letters of which each of the words in Latin script has some, and how far before them that word may begin."""
_RAREST: Final = "2ậửłãẩöqzjxvkwybfpgmuhcdlsrnoiaet "
"""Letters, the rarest first: of a stem whose rarest is in no text, nothing more is looked for."""
_CODE = re.compile("[ck][oóôöõ]{1,2}[dð]")
_NOT_LATIN: Final = {
    letter for letter in _CERTAIN + _SOME + _PASSWORDS if "\u0370" <= letter < "\u1e00" or letter >= "\u2e80"
}
_PERHAPS_OTHER = re.compile(
    "[^\x00-\xb4\xb6-\u012f\u0132-\u017e\u0180-\u0344\u0346-\u036f\u1e00-\u1eff\u2000-\u206f\u20a0-\u20cf]"
)
"""All but letters of Latin script and signs that stand between them: what `_OTHER_SCRIPTS` may find, and more."""
_OTHER_SCRIPTS = re.compile(f"[{''.join(sorted(_NOT_LATIN))}]", re.IGNORECASE)
_CASED_OTHERWISE = re.compile("[ıİſ]")
"""Letters that are an i or an s where case is ignored, though not in lower case."""


def announcing(text: str) -> Iterator[re.Match[str]]:
    """What `ANNOUNCING.finditer` finds. In a text of Latin letters it is looked for only where it may begin.

    The pattern asks a hundred alternatives at each character, which took longer than all else that a mail is read for.
    """
    in_latin = latin(text)
    if not in_latin and (_OTHER_SCRIPTS.search(text) or _CASED_OTHERWISE.search(text)):
        yield from ANNOUNCING.finditer(text)
        return
    end, low = 0, text.lower()
    pattern, searched = (_IN_LOWER_CASE, low) if in_latin else (ANNOUNCING, text)
    for start in sorted(_beginnings(low)):
        if start >= end and (found := pattern.match(searched, start)):
            yield found
            end = found.end()


def latin(text: str) -> bool:
    """Whether no letter stands in a text but those of Latin script that have one form in lower case."""
    return text.isascii() or _PERHAPS_OTHER.search(text) is None


def _beginnings(text: str) -> set[int]:
    """Where words in Latin script may begin."""
    simple = text.isascii()
    found = set() if simple else {code.start() for code in _CODE.finditer(text)}
    for rarest, stem, distances in _ASCII_STEMS if simple else _ALL_STEMS:
        if rarest not in text or stem not in text:
            continue
        at = text.find(stem)
        while at >= 0:
            found.update(at - distance for distance in distances if at >= distance)
            at = text.find(stem, at + 1)
    return found


def _rarest(stem: str) -> str:
    return min(stem, key=_RAREST.index)


_LATIN: Final = tuple((_rarest(stem), stem, distances) for stem, distances in _STEMS.items())
_ASCII_STEMS: Final = (*_LATIN, *((_rarest(code), code, (0,)) for code in ("cod", "kod", "cood", "kood")))
_ALL_STEMS: Final = (*_LATIN, *((_rarest(stem), stem, (0,)) for stem in ("lösenord", "hasł", "mật khẩu", "mã")))


class Stems:
    """Words of which it is asked whether one stands in a text, whatever its case; the pattern is in lower case."""

    def __init__(self, pattern: str) -> None:
        self._lower, self._any = re.compile(pattern), re.compile(pattern, re.IGNORECASE)

    def search(self, text: str) -> re.Match[str] | None:
        """Where one stands first. Without regard to case the engine takes four times as long, so Latin is lowered."""
        if latin(text):
            return self._lower.search(text.lower())
        return self._any.search(text)


_LETTER = r"[^\W\d_]"
_NO_CODES = "uni|un|en|de|re|in|trans|geo|vs|fan|byte|op|shell|g|m|by|low|no|auto|leet|bit|hard|native|pseudo|micro"
NO_WORD = re.compile(
    rf"(?:{_NO_CODES}){_LETTER}?-?code\w{{0,4}}|cod(?:e[dxrinc]\w*|in\w*|if\w*|as?|fish\w*|y)|(?-i:COD)"
    r"|\w*(?:crocod|kodak|melod|cocod|comod|accod|episod|кодекс|кодиров|кодир)\w*|vercod\w*|\w*codec\w*|codehaus"
    r"|codeberg|claver\w*",
    re.IGNORECASE,
)
"""Words with the stem in them that are no such words, to be matched whole."""

OPENING = Stems(
    r"v[eé]rif|weryfik|верифи|auth|av?tent|аутент|author|autori|autory|автор|[ck]onf[ie]r|potv?r[dz]|potwierdz"
    r"|подтвер"
    r"|підтвер|потвър|потврд|ov[eě][rř][oeu]|best[äa]tig|bevestig|bekr[äæe]f|vahvist|kinnit|patvirt|apstipr"
    r"|staðfest|sicherheit|s[eé][ck]ur"
    r"|segur|sicure|sigur|bezpie|bezpe[čc]|безоп|безпек|сигурн|biztons|g[üu]venl|turva|sikker|säkerh|veilig|öryggi"
    r"|saug"
    r"|acces|accès|acceso|accesso|zugang|dost[ęe]p|p[řr][íi]stup|доступ|достъп|hozzáf|toegang|adgang|tilgang"
    r"|åtkomst|erişim"
    r"|log(?:ga |ge )?-?[io]n|logow|logi[nt]|anmeld|einlogg|aanmeld|inlogg?|p[řr]ihl|prijav|вход|войти|вхід|увійти"
    r"|влез|giriş"
    r"|bejelentk|belép|conectare|autentif|kirjaut|connexion|connect|sesi[oó]n|sess[aã]o|ingres|iniciar|entrar|acced"
    r"|sign[- ]?(?:in|up|ing)|identi|идент|ідент|kimlik|σύνδεσ|επαλήθ|επιβεβ|ασφάλ|ασφαλ|πρόσβασ|ταυτοπ"
    r"|one[- ]?time|single[- ]use|einmal|eenmalig|eng[åa]ngs|usage unique|(?:un solo|único|uso único)|usa e getta"
    r"|monouso"
    r"|jednor[aá]z|одноразов|єдноразов|еднократ|kertakäyt|tek kullan|egyszer|μιας χρήσ|μίας χρήσ|vienkart"
    r"|sekali pakai"
    r"|valid(?:er|ar|at|ez|ier)|temporary|tempor[aä]r|провероч|перевіроч|временн|тимчасов|сеансов|activ|aktiv|актив"
    r"|etkinle|do[ğg]rula|onay"
    r"|pengesah|verifikasi|keamanan|masuk|xác (?:minh|thực|nhận)|đăng nhập|bảo mật|ยืนยัน|เข้าสู่ระบบ|ความปลอดภัย"
    r"|ใช้ครั้งเดียว"
    r"|تحقق|ت[أا]كيد|دخول|[أا]مان|تفعيل|لمرة واحدة|ت[اأ]یید|ورود|فعال|یک ?بار|یک‌بار|پویا|امنیت|تصدیق|لاگ"
    r"|אימות|כניסה|אבטחה|חד[- ]?פעמ|התחבר|אישור|सत्याप|पुष्टि|सुरक्षा|लॉग|साइन|प्रमाण|যাচাই|লগ|নিরাপত্তা|சரிபார்|உறுதி"
    r"|உள்நுழை"
    r"|ధృవీ|ధ్రువీ|లాగిన్|ദൃഢീ|പരിശോധന|ಪರಿಶೀಲ|ચકાસ|ਪੁਸ਼ਟੀ|ਤਸਦੀਕ|验证|驗證|校验|確認|确认|认证|認證|动态|動態|安全|登录"
    r"|登錄|登入|一次性"
    r"|授权|授權|認証|ログイン|セキュリティ|ワンタイム|本人|인증|보안|확인|로그인|일회용|본인|kodi i njëhershëm",
)
"""Stems of what such a code does: it verifies, confirms, lets in, once."""

YOURS = Stems(
    r"\b(?:your|this|following|dein|deine?|ihr|ihre?|votre|ton|ta|tu|su|tuo|tua|vostro|seu|sua|teu|uw|jouw|je|din"
    r"|ditt|dit|twój"
    r"|twoje|tvůj|váš|vaše|vaš|tvoj|dumneavoastră|tău|jūsu|jūsų|teie|sinu|ваш\w{0,3}|тво[йяюе]|вашия|σας|σου|bạn"
    r"|anda|kamu)\b"
    r"|[ck]o[od]d?u?(?:nuz|niz|un\b|si\b|nne\b|ja\b|od\b)|unuz\b|iniz\b|niz\b|(?:الخاص|الخاصة) بك|رمزك|شما|שלך"
    r"|סיסמתך|आपक|আপনার"
    r"|உங்கள்|మీ |നിങ്ങളുടെ|ನಿಮ್ಮ|તમાર|ਤੁਹਾਡਾ|您的|你的|您|あなた|お客様|귀하|고객님|ของคุณ",
)
"""Whose it is: a code that is yours, or that follows, is no other one."""

OTHER = Stems(
    r"promo|arbitrary|malicious|execut|event|alarm|fault|störung|ereignis|trouble|device|model|serial|function"
    r"|batch|товар|промо|プロモ|프로모"
    r"|प्रोमो|disc?ount|d?escuent|descont|rabat|gutschein|[ck]upon|coupon|cupom|купон"
    r"|coupon|voucher"
    r"|ваучер|gift|regalo|cadeau|geschenk|подароч|referral|parrain|empfehl|invit(?:e|ación) a|zip\b|zip-?code"
    r"|post(?:al|leit|\b|n(?:um|r)|i?[ck]od)"
    r"|poczt|почт|пошт|\bplz|irányít|indirim|hediye|kampany|alennus|slev|zľav|zniżk|скидк|знижк|отстъпк|έκπτω"
    r"|ταχυδρ|reducer|kedvezm"
    r"|sconto|réduc|giảm giá|khuyến|bưu|diskon|potongan|ส่วนลด|ไปรษณีย์|خصم|تخفیف|پستی|بريدي|הנחה|קופון|מיקוד|छूट"
    r"|पिन ?कोड|优惠|優惠|折扣"
    r"|邮政|郵遞|郵政|割引|クーポン|郵便|할인|쿠폰|우편|推荐|推薦|招待|추천"
    r"|area|vorwahl|countr|länder|region|err(?:or|eur|ore|o)\b|fehler|felkod|feil|fejl|błęd|chyb|hib[aá]|ошибк"
    r"|помилк|грешк|σφάλμ|lỗi"
    r"|hata|virhe|خطأ|خطا|שגיא|त्रुटि|错误|錯誤|エラー|오류|source|quell|исходн|ソース|dress|\bqr|bar-?[ck]|strich"
    r"|code-?barr|barras|streep"
    r"|штрих|バーコ|二维|二維|条码|條碼|바코드|booking|reserv|buchung|prenot|rezerw|брон|予約|예약|order|bestell"
    r"|pedido|commande|заказ"
    r"|замовл|zamów|sipariş|注文|订单|訂單|주문|track|sendungs|rastre|suivi|seguim|product|produ[ck]t|artikel"
    r"|item\b|\bsku|sort\b|swift"
    r"|\bbic\b|iban|ifsc|\btax|fiscal|steuer|status|http|exit|return|respon|reason|colou?r|farb|genetic|penal|civil"
    r"|build(?:ing)?\b"
    r"|\bman|kunden|customer|client|cliente|klient|employ|student|mitarbeiter|\bbank ?code|branch|\bmorse|machine"
    r"|legacy|open\b",
)
"""What makes it another code: of a discount, a place, a thing, an error."""

OTHER_USES = re.compile(
    r"[ -]?(?:review|base|name|word|freeze|change|point|page|block|snippet|sample|example|path|section|line|owner"
    r"|style|quality"
    r"|coverage|generat|compl|of (?:conduct|practice|ethics)|qr|barre|barras|page|font|red)\b",
    re.IGNORECASE,
)
"""What makes the English word the work of programmers."""

COLON = "[:=→\uff1a\u17d6\u055d\u1366\ufe55]"
IS = (
    r"(?:\b(?:is|are|was|ist|lautet|est|es|son|é|è|e|är|er|on|to|jest|je|este|είναι|это|є|е|هو|هي|است|הוא|היא|הינו"
    r"|là|adalah|ialah"
    r"|yra|ir|són|és|a|eshte|është|ni)\b|है|हैं|আছে|হল|হলো|ஆகும்|คือ|[はがを]|という|[是为為]|[은는이가을를])"
)
"""Words that say that one thing is the other."""

"""Attributions and header blocks in the words of real programs, none of which is known."""

from __future__ import annotations

import pytest

from bridge.mail import snippet

ATTRIBUTIONS = [
    "Vào Th 6, 11 thg 4, 2025 vào lúc 13:18 Per Holm <per@example.net> đã viết:",
    "ในวันที่ ศ. 11 เม.ย. 2025 เวลา 13:18 Per Holm <per@example.net> เขียนว่า:",
    (
        "في الجمعة، 11 أبريل 2025 في 1:18 م تمت كتابة ما يلي بواسطة "
        "\u202aPer Holm\u202c\u200f <\u202aper@example.net\u202c\u200f>:"
    ),
    "در تاریخ جمعه ۱۱ آوریل ۲۰۲۵،\u200f ۱۳:۱۸ Per Holm <per@example.net> نوشت:",
    "11 अप्रै॰ 2025, शुक्र को 1:18 pm बजे को Per Holm <per@example.net> ने लिखा:",
    "Στις Παρ 11 Απρ 2025 στις 1:18 μ.μ., ο χρήστης Per Holm <per@example.net>\nέγραψε:",
    "El vie, 11 abr 2025 a las 13:18, Per Holm (<per@example.net>) escribió:",
    "Em sex., 11 de abr. de 2025 às 13:18, Per Holm <per@example.net> escreveu:",
    "Il giorno ven 11 apr 2025 alle ore 13:18 Per Holm <per@example.net> ha\nscritto:",
    "Op vr 11 apr 2025 om 13:18 schreef Per Holm <per@example.net>:",
    "pe 11. huhtik. 2025 klo 13.18 Per Holm (per@example.net) kirjoitti:",
    "Den fre 11 apr. 2025 kl 13:18 skrev Per Holm <per@example.net>:",
    "pt., 11 kwi 2025 o 13:18 Per Holm <per@example.net> napisał(a):",
    "pá 11. 4. 2025 v 13:18 odesílatel Per Holm <per@example.net> napsal:",
    "pi 11. 4. 2025 o 13:18 Per Holm <per@example.net> napísal(a):",
    "Per Holm <per@example.net> ezt írta (időpont: 2025. ápr. 11., P, 13:18):",
    "Per Holm <per@example.net>, 11 Nis 2025 Cum, 13:18 tarihinde şunu yazdı:",
    "пт, 11 апр. 2025 г. в 13:18, Per Holm <per@example.net>:",
    "пт, 11 квіт. 2025 р. о 13:18 Per Holm <per@example.net> пише:",
    "На пт, 11.04.2025 г. в 13:18 Per Holm <per@example.net> написа:",
    "În vin., 11 apr. 2025 la 13:18, Per Holm <per@example.net> a scris:",
    "pet, 11. tra 2025. u 13:18 Per Holm <per@example.net> napisao je:",
    "V pet., 11. apr. 2025 ob 13:18 je oseba Per Holm <per@example.net> napisala:",
    "Kontakt Per Holm (<per@example.net>) kirjutas kuupäeval R, 11. aprill 2025\nkell 13:18:",
    "piektd., 2025. g. 11. apr., plkst. 13:18 — lietotājs Per Holm (<\nper@example.net>) rakstīja:",
    "2025-04-11, pn, 13:18 Per Holm <per@example.net> rašė:",
    "Pada Jum, 11 Apr 2025 pukul 13.18 Per Holm <per@example.net> menulis:",
    "2025년 4월 11일 (금) 오후 1:18, Per Holm <per@example.net>님이 작성:",
    "2025年4月11日(金) 13:18 Per Holm <per@example.net>:",
    "Per Holm <per@example.net> 于2025年4月11日周五 13:18写道：",
    "Per Holm <per@example.net> 於 2025年4月11日 週五 下午1:18寫道：",
    "El dv., 11 d’abr. 2025, 13:18, Per Holm <per@example.net> va escriure:",
    "ਸ਼ੁੱਕਰ, 11 ਅਪ੍ਰੈ 2025 1:18 ਬਾ.ਦੁ. 'ਤੇ Per Holm <per@example.net> ਨੇ ਲਿਖਿਆ:",
    "২০২৫-এ ১১ এপ্রিল, শুক্র, ১:১৮ PM তারিখে Per Holm <per@example.net> লিখেছেন:",
    "2025 ഏപ്രി 11, വെള്ളി 1:18 PM ന്, Per Holm <per@example.net> എഴുതി:",
    "வெள்., 11 ஏப்., 2025, பிற்பகல் 1:18 அன்று, Per Holm <per@example.net> எழுதியது:",
    "ב-11 באפר׳ 2025, בשעה 13:18, \u200fPer Holm <per@example.net> כתב/ה:",
    "Þann fös., 11. apr. 2025 kl. 13:18 skrifaði Per Holm <per@example.net>:",
    "Am 11.04.25 um 13:18 schrieb Per Holm:",
    "11.4.2025 klo 13.18 Per Holm kirjoitti:",
    "Per Holm kirjoitti 11.4.2025 klo 13.18:",
    "Le 11/04/2025 à 13:18, Per Holm a écrit :",
    "2025-04-11 13:18 keltezéssel, Per Holm írta:",
    "2025/04/11 13:18, Per Holm wrote:",
    "11.04.2025 13:18, Per Holm пишет:",
    "W dniu 11.04.2025 o 13:18, Per Holm pisze:",
    "Dňa 11. 4. 2025 o 13:18 Per Holm napísal(a):",
    "On 11. 4. 2025., at 13:18, Per Holm wrote:",
    "Dne 11. 04. 25 v 13:18 Per Holm napsal(a):",
    'At 2025-04-11 13:18:00, "Per Holm" <per@example.net> wrote:',
]
LABELS = {
    "en": "From|Sent|To|Subject",
    "de": "Von|Gesendet|An|Betreff",
    "ar": "من|تم الإرسال|إلى|الموضوع",
    "he": "מאת|נשלח|אל|נושא",
    "el": "Από|Στάλθηκε|Προς|Θέμα",
    "ja": "差出人|送信日時|宛先|件名",
    "ko": "보낸 사람|보낸 날짜|받는 사람|제목",
    "zh": "发件人|发送时间|收件人|主题",
    "tw": "寄件者|寄件日期|收件者|主旨",
    "th": "จาก|ส่ง|ถึง|เรื่อง",
    "hi": "प्रेषक|भेजा गया|प्रति|विषय",
    "tr": "Kimden|Gönderildi|Kime|Konu",
    "fi": "Lähettäjä|Lähetetty|Vastaanottaja|Aihe",
    "vi": "Từ|Đã gửi|Tới|Tiêu đề",
    "cs": "Od|Odesláno|Komu|Předmět",
    "fa": "از|ارسال شده|به|موضوع",
    "ru": "От кого|Отправлено|Кому|Тема",
    "fr": "De|Envoyé|À|Objet",
    "it": "Da|Inviato|A|Oggetto",
    "id": "Dari|Terkirim|Ke|Perihal",
    "bg": "От|Изпратено|До|Относно",
    "lt": "Nuo|Išsiųsta|Kam|Tema",
    "sr": "Šalje|Poslato|Prima|Tema",
    "ro": "De la|Trimis|Către|Subiect",
    "hu": "Feladó|Elküldve|Címzett|Tárgy",
}
"""From, Sent, To and Subject."""
DATES = {
    "ar": "الجمعة، ١١ أبريل ٢٠٢٥ ٠١:١٨ م",
    "fa": "جمعه ۲۲ فروردین ۱۴۰۴ ۱۳:۱۸",
    "th": "11 เมษายน 2568 13:18",
    "ja": "2025年4月11日 13:18",
    "fi": "perjantai 11. huhtikuuta 2025 13.18",
}
"""Where it is not `11 April 2025 13:18`."""


@pytest.mark.parametrize("quote", ["\n\n> When?\n> Per", "\n> When?", "\n\nWhen?\nPer"])
@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_an_attribution_is_left_out(attribution, quote):
    assert snippet.make(f"At five.\n\n{attribution}{quote}", subject="Re: Keys") == "At five."


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("sender", ["Per Holm <per@example.net>", "per@example.net"])
@pytest.mark.parametrize("language", LABELS)
def test_a_header_block_is_left_out(language, sender, gap):
    values = [sender, DATES.get(language, "11 April 2025 13:18"), "Nora", "Keys"]
    block = "\n".join(f"{label}: {value}" for label, value in zip(LABELS[language].split("|"), values, strict=True))
    assert snippet.make(f"At five.\n\n{block}{gap}When?", subject="Re: Keys") == "At five."
    assert snippet.make(f"{block}{gap}When?", subject="Fwd: Keys") == "When?"

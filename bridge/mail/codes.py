"""One-time codes: found in the few sentences around the words that announce one."""

from __future__ import annotations

import re
from itertools import islice

_SEARCHED = 2_000
_MOST_ANNOUNCED = 10
_SENTENCE = 200
_AFTER = 90
_BEFORE = 60
_LONGEST = 20
"""Characters beyond a window that are looked at, so that no number is cut short into a code."""

_ANNOUNCED = re.compile(
    r"(?:verification|security|confirmation|one[- ]?time|log[- ]?in|sign[- ]?in|access|authentication|authorization"
    r"|activation|2fa|two[- ]factor|single[- ]use|temporary)[- ](?:pass)?(?:code|pin|password|number)\b"
    r"|\bpasscode\b|\botp\b|\btan\b"
    r"|\b(?:your|the following|this|der|dein|ihr|votre|tu|su|il tuo|uw|je|din)\s"
    r"(?:[\w-]{1,20}\s){0,2}(?:code|pin|código|codice|kod)\b"
    r"|\bcode (?:you need )?to (?:log ?in|sign in)\b|einmal(?:code|passwort|kennwort)"
    r"|(?:bestätigungs|verifizierungs|sicherheits|anmelde|zugangs|login-?)code"
    r"|code de (?:vérification|sécurité|confirmation|connexion|validation)"
    r"|código de (?:verificación|seguridad|confirmación|acceso|verificação|segurança)"
    r"|codice di (?:verifica|sicurezza|conferma|accesso)|verificatiecode"
    r"|(?:bekräftelse|verifierings|säkerhets|engångs|inloggnings)kod"
    r"|(?:bekræftelses|sikkerheds|sikkerhets|verifiserings|engangs)kode|vahvistuskoodi|kertakäyttökoodi"
    r"|kod(?:em)? (?:weryfikacyjny|jednorazowy|autoryzacyjny|sms)|twój kod|ověřovací kód|jednorázový kód"
    r"|(?:doğrulama|onay|güvenlik|giriş) kod|tek kullanımlık (?:kod|şifre)|kode (?:verifikasi|otp)"
    r"|mã xác (?:minh|nhận|thực)"
    r"|код(?:а|ом)? (?:подтверждения|безопасности|доступа|входа|для входа)|(?:проверочный|одноразовый|ваш) код"
    r"|код підтвердження|κωδικό[ςσ] (?:επαλήθευσης|επιβεβαίωσης|ασφαλείας|μίας χρήσης)"
    r"|رمز (?:التحقق|التأكيد|الدخول|الأمان)|קוד (?:ה?אימות|ה?גישה|חד[- ]פעמי)"
    r"|验证码|驗證碼|校验码|動態密碼|认证码|認証コード|確認コード|ワンタイムパスワード|인증번호|인증 ?코드",
    re.IGNORECASE,
)
_HINTS = (
    *("code", "pin", "tan", "otp", "password", "passwort", "kennwort", "number", "código", "codice", "kod", "код"),
    *("koodi", "kód", "şifre", "mã xác", "κωδικ", "رمز", "קוד"),
    *("验证码", "驗證碼", "校验码", "動態密碼", "认证码", "認証コード", "確認コード", "ワンタイム", "인증"),
)
"""Each announcement holds one of these, and most mails hold none: looking for them first is a hundred times cheaper."""
_OTHER_CODES = re.compile(
    r"(?:promo|promotion(?:al)?|discount|coupon|voucher|gift|referral|zip|postal|area|country|error|source|dress|qr|bar"
    r"|rabatt|gutschein|booking|order|tracking|product|sort|status)[- ]?$|\b(?:off|rabatt|discount)\b",
    re.IGNORECASE,
)
_OTHER_USES = re.compile(r"[ -]?(?:review|base|name|word|freeze|change|of conduct|of practice)\b", re.IGNORECASE)
_CODE_WRITTEN = (
    r"(?<![A-Za-z0-9#$€£₹.,:/@_+-])(?<!\d )"
    r"(?:[A-Z]{1,3}-\d{4,8}|\d(?: \d){3,7}|\d\d \d\d \d\d|\d{3}[ -]\d{3}|\d{4,8}"
    r"|(?=[A-Z]{0,7}\d)(?=\d{0,7}[A-Z])[A-Z0-9]{5,8}|[A-Z0-9]{3,4}-[A-Z0-9]{3,4})"
    r"(?![A-Za-z0-9/%@_€$£-]|[.,:]\d| ?(?:%|€|EUR|USD)| \d)"
)
_CODE = re.compile(_CODE_WRITTEN)
_SAID = re.compile(r"(?:[:\uff1a]|\b(?:is|ist|lautet|est|es|è|é))\s{1,8}(" + _CODE_WRITTEN + ")")
_OTHER_NUMBERS = re.compile(
    r"\b(?:ending(?: in| with)?|card|karte|account|konto|phone|telephone|telefon|call|line|order|ref(?:erence)?|number"
    r"|no|nr|case|ticket|invoice|rs|inr|usd|eur|gbp|chf|until|by|at|on)[\s.:#*x]{0,4}$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?]\s+(?=[A-ZÀ-Þ])|[。！？]|\n\s*\n")
_DATE = re.compile(r"(?:19|20)\d\d(?:[01]\d[0-3]\d)?")


def find(*texts: str) -> str:
    """The one-time code that the first of these texts holds, as it is written there; else ""."""
    for text in texts:
        searched = text[:_SEARCHED]
        lowered = searched.lower()
        if not any(map(lowered.__contains__, _HINTS)):
            continue
        for announced in islice(_ANNOUNCED.finditer(searched), _MOST_ANNOUNCED):
            code = _near(searched, announced.start(), announced.end())
            if code:
                return code
    return ""


def _near(text: str, start: int, end: int) -> str:
    """The code that the announcement between `start` and `end` speaks of: said outright, next, or just before."""
    last_word = re.search(r"\S+$", text[max(start - 20, 0) : start].rstrip())
    around = text[start:end] if last_word is None else f"{last_word[0]} {text[start:end]}"
    if _OTHER_CODES.search(re.sub(r"(?i)(?:code|pin)$", "", around)) or _OTHER_USES.match(text, end):
        return ""
    stop = _SENTENCE_END.search(text, end, end + _SENTENCE)
    sentence = stop.start() if stop else end + _SENTENCE
    said = _SAID.search(text, end, sentence + _LONGEST)
    if said is not None and said.start() < sentence and _plausible(said[1]):
        return said[1]
    following = _codes(text, end, end + _AFTER)
    if following:
        return following[0]
    earliest = max(start - _BEFORE, 0)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, earliest, start)]
    before = _codes(text, ends[-1] if ends else earliest, start)
    return before[-1] if before else ""


def _codes(text: str, start: int, end: int) -> list[str]:
    """What is written like a code and not as something else's number, and begins there."""
    return [
        match[0]
        for match in _CODE.finditer(text, start, end + _LONGEST)
        if match.start() < end
        and _plausible(match[0])
        and not _OTHER_NUMBERS.search(text, max(match.start() - 24, start), match.start())
    ]


def _plausible(code: str) -> bool:
    return any(character.isdigit() for character in code) and not _DATE.fullmatch(code)

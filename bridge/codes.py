"""One-time codes: found in the few sentences around the words that announce one."""

from __future__ import annotations

import re

_SEARCHED = 2_000
_AFTER = 90
_BEFORE = 60

_ANNOUNCED = re.compile(
    r"(?:verification|security|confirmation|one[- ]?time|log[- ]?in|sign[- ]?in|access|authentication|authorization"
    r"|activation|2fa|two[- ]factor|single[- ]use|temporary)[- ](?:pass)?(?:code|pin|password|number)\b"
    r"|\bpasscode\b|\botp\b|\btan\b"
    r"|\b(?:your|the following|this|der|dein|ihr|votre|tu|su|il tuo|uw|je|din)\s"
    r"(?:[\w-]{1,20}\s){0,2}(?:code|pin|código|codice|kod)\b"
    r"|einmal(?:code|passwort|kennwort)|(?:bestätigungs|verifizierungs|sicherheits|anmelde|zugangs|login-?)code"
    r"|code de (?:vérification|sécurité|confirmation|connexion|validation)"
    r"|código de (?:verificación|seguridad|confirmación|acceso|verificação|segurança)"
    r"|codice di (?:verifica|sicurezza|conferma|accesso)|verificatiecode|bekräftelsekod|kod weryfikacyjny"
    r"|код(?:а|ом)? (?:подтверждения|безопасности|доступа|входа)|проверочный код"
    r"|验证码|驗證碼|校验码|動態密碼|认证码|認証コード|確認コード|ワンタイムパスワード|인증번호|인증 ?코드",
    re.IGNORECASE,
)
_HINTS = (
    *("code", "pin", "tan", "otp", "password", "passwort", "kennwort", "number", "código", "codice", "kod", "код"),
    *("验证码", "驗證碼", "校验码", "動態密碼", "认证码", "認証コード", "確認コード", "ワンタイム", "인증"),
)
"""Each announcement holds one of these, and most mails hold none: looking for them first is a hundred times cheaper."""
_OTHER_CODES = re.compile(
    r"(?:promo|promotion(?:al)?|discount|coupon|voucher|gift|referral|zip|postal|area|country|error|source|dress|qr|bar"
    r"|rabatt|gutschein|booking|order|tracking|product|sort|status)[- ]?$|\b(?:off|rabatt|discount)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?<![A-Za-z0-9#$€£.,:/@_-])"
    r"(?:[A-Z]{1,3}-\d{4,8}|\d{3}[ -]\d{3}|\d{4,8}"
    r"|(?=[A-Z]{0,7}\d)(?=\d{0,7}[A-Z])[A-Z0-9]{6,8}|[A-Z0-9]{3,4}-[A-Z0-9]{3,4})"
    r"(?![A-Za-z0-9/%@_€$£-]|[.,:]\d| ?(?:%|€|EUR|USD))"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


def find(*texts: str) -> str:
    """The one-time code that the first of these texts holds, as it is written there; else ""."""
    for text in texts:
        searched = text[:_SEARCHED]
        lowered = searched.lower()
        if not any(map(lowered.__contains__, _HINTS)):
            continue
        for announced in _ANNOUNCED.finditer(searched):
            code = _near(searched, announced.start(), announced.end())
            if code:
                return code
    return ""


def _near(text: str, start: int, end: int) -> str:
    last_word = re.search(r"\S+$", text[max(start - 20, 0) : start].rstrip())
    around = text[start:end] if last_word is None else f"{last_word[0]} {text[start:end]}"
    if _OTHER_CODES.search(re.sub(r"(?i)(?:code|pin)$", "", around)):
        return ""
    following = _first(text, end, min(end + _AFTER, len(text)))
    return following or _last(text, max(start - _BEFORE, 0), start)


def _first(text: str, start: int, end: int) -> str:
    return next((match[0] for match in _CODE.finditer(text, start, end) if _plausible(match[0])), "")


def _last(text: str, start: int, end: int) -> str:
    found = [match[0] for match in _CODE.finditer(text, start, end) if _plausible(match[0])]
    return found[-1] if found else ""


def _plausible(code: str) -> bool:
    return any(character.isdigit() for character in code) and not _YEAR.fullmatch(code)

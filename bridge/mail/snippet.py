"""The first words of a mail, as the person who wrote it would give them.

Left out is what programs add: notes about browsers, padding behind preheaders, quoted messages,
signatures, tracking links. A one-time code goes first. Pure text work, linear, on a bounded start
of the body.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise

from bridge import graphemes
from bridge.mail import codes, text
from bridge.mail.boilerplate import is_noise

LONGEST = 200
"""Characters of a snippet."""

_SEARCHED = 16_384
_ENOUGH = 300
_MOST_LINES = 1_000
_LONGEST_URL = 48
_LIST_RULE = 20

_URL = re.compile(r"[<\[(]?\bhttps?://([^\s<>\])/?#]{1,255}+)([^\s<>\])]*+)[>\])]?", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\[(?:image|cid|bild|imagen?|inline image)\b[^\]\n]{0,200}\]", re.IGNORECASE)
_MAILTO = re.compile(r"[<\[]mailto:[^<>\[\]\s]{1,320}[>\]]", re.IGNORECASE)
_MARKS = "*#=_~-"
_FORWARDED = re.compile(
    r"[-_*>\s]*(?:begin forwarded message|forwarded message|original message|original appointment"
    r"|(?:anfang der )?weitergeleiteten? (?:nachricht|e-?mail)|ursprüngliche nachricht"
    r"|message (?:transféré|d'origine|original)|mensaje (?:reenviado|original)|mensagem (?:encaminhada|original)"
    r"|messaggio (?:inoltrato|originale)|doorgestuurd bericht|oorspronkelijk bericht"
    r"|пересылаемое сообщение|исходное сообщение|转发的邮件|原始邮件)e?\s*[-_*:]*\s*$",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(
    r"(?:on|am|le|el|il|em|op|den|de|w dniu|dne|tor|в|在)\s.{4,200}"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|escreveu|schreef|skrev|napisał\S*|napsal\S*|kirjoitti"
    r"|пишет|написал\S*|写道).{0,80}[:\uff1a]\s*$",
    re.IGNORECASE,
)
_SOMEBODY_WROTE = re.compile(
    r"[^.!?]{2,80}\s(?:wrote|schrieb|a écrit|escribió|ha scritto|escreveu|schreef|skrev|пишет|写道)\s?[:\uff1a]",
    re.IGNORECASE,
)
_FROM_LINE = re.compile(r"\*?(?:from|von|de|da|van|от|发件人)\s?\*?[:\uff1a]", re.IGNORECASE)
_HEADER_LINE = re.compile(
    r"\*?(?:from|to|cc|bcc|date|sent|subject|reply-to|importance|attachments?|von|an|datum|gesendet|betreff|de|à|objet"
    r"|envoyé|para|fecha|enviado|asunto|assunto|da|a|data|inviato|oggetto|van|aan|verzonden|onderwerp"
    r"|от|кому|дата|тема|发件人|收件人|日期|主题|发送时间)\s?\*?[:\uff1a]",
    re.IGNORECASE,
)


def make(body: str, *, subject: str = "") -> str:
    """One line of at most 200 characters for a body in lines; "" when nobody wrote anything in it.

    A one-time code in subject or body stands first; a first line that only repeats the subject is
    left out.
    """
    body = body if len(body) <= _SEARCHED else text.cut(body[:_SEARCHED])
    return _line(_lead(body, subject), body, subject)


def instead(body: str, *, subject: str = "") -> str:
    """For a body without words of its own: its subject if it repeats it, or where its first link leads."""
    body = body[:_SEARCHED]
    if subject and body.strip() == subject:
        return _line(subject, body, subject)
    link = _URL.search(body)
    return _line(link[1] if link else "", body, subject)


def _line(lead: str, body: str, subject: str) -> str:
    line = text.prose(lead, limit=LONGEST * 2)
    code = codes.find(subject, line, body)
    if code and not line.startswith(code):
        line = f"{code} · {line}".rstrip(" ·")
    return graphemes.clip(line, LONGEST)


def _lead(body: str, subject: str) -> str:
    """What is written above, below or instead of quotes and boilerplate, in one string."""
    if body.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
        return ""
    kept: list[str] = []
    length = 0
    lines = _lines(body)
    in_header, quoted = False, 0
    for line, following in pairwise(chain(lines, [""])):
        quoted = max(quoted - 1, _quote_lines(line, following))
        if (quoted and kept) or _ends(line, following) or length > _ENOUGH:
            break
        in_header = quoted > 0 or (in_header and (not line or _HEADER_LINE.match(line) is not None))
        if in_header or is_noise(line) or (not kept and line == subject):
            continue
        shown = _without_marks(_without_links(line))
        if shown and not (shown != line and is_noise(shown.strip(" :()[]<>"))):
            kept.append(shown)
            length += len(shown)
    return " ".join(kept)


def _lines(body: str) -> list[str]:
    """The stripped lines of a body: of many only one blank line in a row, and of those the first 1,000."""
    lines = [line.strip() for line in body.replace("\t", "\n").split("\n")]
    if len(lines) > _MOST_LINES:
        lines = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1] + graphemes.ELLIPSIS]
    return lines


def _quote_lines(line: str, following: str) -> int:
    """How many lines introduce somebody else's message here: an attribution has 1 or 2, a mark 1."""
    if not line or len(line) > LONGEST:
        return 0
    if _FORWARDED.match(line) or _ATTRIBUTION.match(line):
        return 1
    if following.startswith(">") and _SOMEBODY_WROTE.fullmatch(line):
        return 1
    if line[-1] != ":" and _ATTRIBUTION.match(f"{line} {following[:120]}"):
        return 2
    return 1 if _FROM_LINE.match(line) and _HEADER_LINE.match(following) else 0


def _ends(line: str, following: str) -> bool:
    """Whether a signature begins here (RFC 3676 §4.3), of a person, of PGP or of a mailing list."""
    if len(line) >= _LIST_RULE and not line.strip("_") and "mailing list" in following[:LONGEST].lower():
        return True
    return line == "--" or line.startswith("-----BEGIN PGP SIGNATURE")


def _without_links(line: str) -> str:
    """Short plain addresses stay, without their scheme; long ones and those that track vanish."""
    if "://" in line:
        line = _URL.sub(_short, line)
    if "[" in line:
        line = _PLACEHOLDER.sub("", line)
    if "mailto:" in line:
        line = _MAILTO.sub("", line)
    return line.strip()


def _without_marks(line: str) -> str:
    """A line without the rule of marks that stands at its beginning or its end, as around a title."""
    bare = line.lstrip(_MARKS)
    if len(line) - len(bare) > 1 and bare[:1].isspace():
        line = bare.lstrip()
    bare = line.rstrip(_MARKS)
    return bare.rstrip() if len(line) - len(bare) > 1 and bare[-1:].isspace() else line


def _short(match: re.Match[str]) -> str:
    host, path = match[1], match[2].rstrip("/")
    if "?" in path or len(host) + len(path) > _LONGEST_URL:
        return ""
    return host + path

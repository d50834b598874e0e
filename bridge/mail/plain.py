"""What most mail is, told at a glance: ASCII, one part, simple fields. Who sees it so may take a shorter way.

A shorter way gives what the long way would have given, so nothing here may say yes to what is anything else; of what
it says no to nothing is known (docs/decisions/0039-fast-lanes.md). Pure.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

from bridge.mail.quotes.lines import BEGIN, HERE

if TYPE_CHECKING:
    from bridge.mail.fields import Fields

_OF_CONTENT: Final = frozenset(
    ("content-type", "content-transfer-encoding", "content-disposition", "content-id", "content-location")
)
_SAYS_NOTHING: Final = _OF_CONTENT | {
    "from", "sender", "reply-to", "return-path", "subject", "date", "message-id", "mime-version",
}  # fmt: skip
_ADDRESS = rb"([A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9.-]{1,255})"
_MAILBOX = re.compile(
    rb"(?:(?:([A-Za-z0-9](?:[A-Za-z0-9'.-]| (?![ <]))*)|\"([A-Za-z0-9](?:[A-Za-z0-9'.,-]| (?![ \"]))*)\") )?<"
    + _ADDRESS
    + rb">|"
    + _ADDRESS
)
_DATE = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d?) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ((?:19|20)\d\d)"
    rb" (\d\d):(\d\d):(\d\d) ([+-])(\d\d)([0-5]\d)(?: \([A-Z]{1,5}\))?"
)
_PARAMETER = rb";\s*([a-z-]{1,32})=(?:\"([^\"\\(]*)\"|([^\s;\"\\(]+))"
_STRUCTURED = re.compile(
    rb"(multipart/(?:mixed|alternative|related|report|signed)|text/(?:plain|html)|application/(?:pdf|octet-stream)"
    rb"|image/(?:png|jpeg|gif)|attachment|inline)((?:" + _PARAMETER + rb"){0,8});?"
)
_PARAMETERS = re.compile(_PARAMETER)
_LONGEST_STRUCTURED = 512
_COUNTS = re.compile(r"[\d:\uff1a]")
_MONTHS: Final = {
    month: number for number, month in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_EPOCH: Final = date(1970, 1, 1).toordinal()
LATEST_S: Final = 4_102_444_800  # 2100-01-01T00:00:00Z
_LONGEST_NAME = 100


def content(top: Fields) -> bool:
    """Whether a message says nothing of its content, so that it is one part of text/plain as it stands."""
    return _OF_CONTENT.isdisjoint(top.values)


def origin(top: Fields) -> bool:
    """Whether no field says anything of importance, of lists, of programs that write mail, or of what others found."""
    return _SAYS_NOTHING.issuperset(top.values)


def mailbox(raw: bytes) -> tuple[str, str] | None:
    """Name and address of `Name <address>`, `"Name" <address>` or an address, the address in lower case.

    Of such as have nothing unusual in either.
    """
    found = _MAILBOX.fullmatch(raw)
    if found is None:
        return None
    name = (found[1] or found[2] or b"").decode("ascii")
    return (name, (found[3] or found[4]).decode("ascii").lower()) if len(name) <= _LONGEST_NAME else None


def line(raw: bytes) -> str | None:
    """The text of a value that can be shown as it stands, of ASCII on one line and without blanks in a row."""
    if not raw.isascii():
        return None
    text = raw.decode("ascii")
    return text.strip(" ") if text.isprintable() and "  " not in text else None


def structured(raw: bytes) -> tuple[str, dict[str, bytes]] | None:
    """Value and parameters of a usual type or disposition, all in lower case, without comments and escapes."""
    found = _STRUCTURED.fullmatch(raw) if len(raw) <= _LONGEST_STRUCTURED else None
    if found is None:
        return None
    parameters: dict[str, bytes] = {}
    for name, quoted, token in _PARAMETERS.findall(found[2]):
        parameters.setdefault(name.decode("ascii"), quoted or token)
    return found[1].decode("ascii"), parameters


def moment(raw: bytes) -> int | None:
    """Epoch seconds of a date that is written as RFC 5322 §3.3 has it, can be one, and is of 1970 to 2099."""
    found = _DATE.fullmatch(raw)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    if hours > b"23" or hour > b"23" or minute > b"59" or second > b"59":
        return None
    try:
        days = date(int(year), _MONTHS[month], int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    offset_s = int(hours) * 3_600 + int(minutes) * 60
    local_s = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    epoch_s = local_s + offset_s if sign == b"-" else local_s - offset_s
    return epoch_s if 0 <= epoch_s < LATEST_S else None


def unmarked(text: str) -> bool:
    """Whether no tag, no entity and no rule of CSS stands in a text."""
    return not ("<" in text or "&" in text or "{" in text or text.lstrip()[:1] in {"/", "@"})


def unquoted(text: str) -> bool:
    """Whether nothing in a text is quoted by a sign or a mark."""
    return not (">" in text or BEGIN in text or HERE in text)


def uncounted(text: str) -> bool:
    """Whether no figure stands in a text, in any script, and no colon."""
    if not text.isascii():
        return _COUNTS.search(text) is None
    for sign in "0123456789:":  # noqa: SIM110 - any() of a generator takes three times as long
        if sign in text:
            return False
    return True

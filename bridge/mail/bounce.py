"""Reports about mail that was sent: whether a delivery failed for good, whose, and why (RFC 3464, RFC 6533).

A server reports delays, relays and deliveries in the same form as failures. What it says in words is mostly an
apology; whom it could not reach, and the answer that it got, stand in fields below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.mail import content, words

if TYPE_CHECKING:
    from bridge.mail.fields import Fields
    from bridge.mail.mime import Part, Raw, Walk

STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})

_LONGEST = 32_768
_LONGEST_WORDS = 16_384
_LONGEST_REASON = 120
_MOST = 20
_SHOWN = 3
_GROUP = re.compile(rb"\r?\n[ \t]*\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+(?=[^\s])")
_FIELD = re.compile(rb"^([\w-]{1,40})[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE)
_TYPE = re.compile(r"\s*[\w.+-]{1,30}\s*;\s*")
_CODE = re.compile(
    r"(?<![\w.])[245]\d\d(?:[- ]+[245]\.\d{1,3}\.\d{1,3})?(?![\w.])[- ]*"
    r"|(?<![\w.])[245]\.\d{1,3}\.\d{1,3}(?![\w.])[- ]*"
)
_FAILED_CODE = re.compile(r"(?<![\w.-])(?:5\d\d[- ](?=\D|5\.)|5\.\d{1,3}\.\d{1,3}(?![\w.]))")
_WAITING_CODE = re.compile(r"(?<![\w.-])(?:4\d\d[- ](?=\D|4\.)|4\.\d{1,3}\.\d{1,3}(?![\w.]))")
_WAITS = re.compile(
    r"\bdelayed\b|\b(?:not yet been|still not|could not yet be) delivered|\bstill being retried"
    r"|\bwill (?:keep trying|continue)"
    r"|verzögert|en attente|retard[ée]|aplazad|retrasad|atrasad|ritardat|задерж|opóźnion|försena|forsink"
    r"|遅延|延迟|延遲|지연",
    re.IGNORECASE,
)
"""What a server says that has not given up."""
_NOTHING = re.compile(r"[(\[<]\s*#?\s*(?:[)\]>]|\Z)")
_ADDRESS = r"[^\s<>@,;:\"()]{1,64}@[^\s<>@,;:\"()]{1,255}"
_OWN_LINE = re.compile(rf"^[ \t]*<?({_ADDRESS})>?:?[ \t]*\r?$", re.MULTILINE)
_BLANK = re.compile(r"\n\s*\n|\n--")


@dataclass(frozen=True, slots=True)
class Report:
    """Whom a mail could not be delivered to, with the servers' reasons as far as they are known.

    `told` says that the mail has a report that programs can read, so that who is not in it was not missed;
    `waits` that it only speaks of a delay, as far as its words go.
    """

    missed: tuple[tuple[str, str], ...] = ()
    told: bool = False
    waits: bool = False

    def described(self) -> str:
        """Who was missed and why, in one line of text; "" when one of both is not known."""
        reasons: dict[str, list[str]] = {}
        for address, reason in self.missed:
            if address and reason:
                reasons.setdefault(reason, []).append(address)
        return "; ".join(f"{_listed(addresses)}: {reason}" for reason, addresses in reasons.items())


NONE = Report()


def read(raw: Raw, top: Fields, walk: Walk) -> Report:
    """The report in a mail that may be one; of any other mail `NONE`. Never raises."""
    groups = [group for part in walk.parts if part.content_type in STATUS for group in _groups(raw, part)]
    if groups:
        return Report(tuple(_missed(group) for group in groups if _failed(group)), told=True)
    local = top.first("from").lower()
    if "x-failed-recipients" in top.values or local.find(b"mailer-daemon") >= 0 or local.find(b"postmaster") >= 0:
        return _from_words(raw, top, walk)
    return NONE


def _listed(addresses: list[str]) -> str:
    return ", ".join([*addresses[:_SHOWN], *(["…"] if len(addresses) > _SHOWN else [])])


def _groups(raw: Raw, part: Part) -> list[dict[str, str]]:
    """The fields of each recipient; what has none of those that say what became of it is none."""
    data = content.decoded(raw, part, limit=_LONGEST)
    groups = [
        {
            field[1].decode("ascii", "replace").lower(): _text(field[2])
            for field in _FIELD.finditer(_FOLD.sub(b" ", group))
        }
        for group in _GROUP.split(_FOLD.sub(b" ", data))[: _MOST + 1]
    ]
    return [group for group in groups if "action" in group or "status" in group]


def _text(value: bytes) -> str:
    return words.decode(value).strip()


def _failed(group: dict[str, str]) -> bool:
    """Whether a delivery failed for good (RFC 3464 §2.3.3); without an action by its status (RFC 3463 §2)."""
    action = group.get("action", "").partition("(")[0].strip().lower()
    return action == "failed" if action else group.get("status", "").startswith("5")


def _missed(group: dict[str, str]) -> tuple[str, str]:
    """Address and reason of a recipient."""
    given = next((group[name] for name in ("final-recipient", "original-recipient") if group.get(name)), "")
    address = _TYPE.sub("", given, count=1).strip(" <>")
    return address, _reason(_TYPE.sub("", group.get("diagnostic-code", ""), count=1), address)


def _reason(said: str, address: str) -> str:
    """What a server answered, in a few words: its code once, the address not again, one sentence."""
    said = " ".join(said.split()).strip("() ")
    code = _CODE.match(said)
    words_said = _CODE.sub("", said).replace(f"<{address}>", "").replace(address, "").strip(" :;,-.")
    words_said = re.sub(r"\s{2,}", " ", _NOTHING.sub("", words_said)).strip(" :;,-.")
    if not any(map(str.isalpha, words_said)):
        return ""
    sentence = re.match(r".{15,}?[.!?](?=\s[A-Z])", words_said)
    words_said = sentence[0].rstrip(".") if sentence else words_said
    if len(words_said) > _LONGEST_REASON:
        words_said = words_said[:_LONGEST_REASON].rpartition(" ")[0] + "…"
    return f"{code[0].strip(' -').replace('-', ' ')} {words_said}" if code else words_said


def _from_words(raw: Raw, top: Fields, walk: Walk) -> Report:
    """The report of a server that has none for programs, out of its letter."""
    part = next((part for part in walk.parts if part.inline_text), None)
    letter = content.decoded_text(raw, part, limit=_LONGEST_WORDS) if part and not part.page else ""
    own = _OWN_LINE.search(letter)
    named = _text(top.first("x-failed-recipients")).split(",")[0].strip()
    address = named or (own[1] if own else "")
    failed = _FAILED_CODE.search(letter)
    if failed is None:
        late = _WAITING_CODE.search(letter) or _WAITS.search(f"{_text(top.first('subject'))}\n{letter}")
        return Report(((named, ""),) if named else (), waits="x-failed-recipients" not in top and late is not None)
    reason = _reason(_paragraph(letter, failed.start()), address)
    if own and not reason:
        reason = _reason(_paragraph(letter, own.end()), address)
    return Report(((address, reason),))


def _paragraph(letter: str, start: int) -> str:
    """What stands there, up to a blank line."""
    letter = letter[start : start + 4 * _LONGEST_REASON].lstrip()
    end = _BLANK.search(letter)
    return letter[: end.start() if end else None].partition("\nGiving up")[0]

"""What a device is told: one form for all of them, the declarative one, which some show without any program. Pure.

`{"web_push": 8030, "notification": {"title", "body", "navigate", "tag", …}, "app_badge": n}` (W3C Push API). Where a
page or app has a program of its own that hears it, that reads the same.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from bridge import graphemes
from bridge.contract import ids

if TYPE_CHECKING:
    from bridge.kept import PushWaiting
    from bridge.model import Header, Storm

TITLE_BYTES: Final = 160
BODY_BYTES: Final = 1024
"""Together with all else less than sealing takes, even if each of the characters is one that JSON escapes."""
PADDED_BYTES: Final = 512
"""What is shorter looks like this to the push service."""
NEW_MAIL: Final = "New mail"
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embeddings, overrides and isolates (UAX #9 §2)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Disclosure(StrEnum):
    """How much of a mail is told."""

    FULL = "full"
    """Sender, subject and how it begins."""
    SENDER = "sender"
    NONE = "none"
    """That there is mail."""


def notification(waiting: PushWaiting, *, content: Disclosure, web: str, short: bool = False) -> bytes:
    """The text that a device gets of what it waits for, in UTF-8.

    `web` is the origin of the page that a tap opens, "" for that which subscribed. With `short` there is nothing in it
    that could be left out.
    """
    title, body = _told(waiting, Disclosure.NONE if short else content)
    shown: dict[str, Any] = {"title": title, "navigate": f"{web}/#mail={waiting.mail_id}", "tag": waiting.mail_id}
    if body:
        shown["body"] = body
    return json.dumps(
        {"web_push": 8030, "notification": shown, "app_badge": waiting.unread},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def _told(waiting: PushWaiting, content: Disclosure) -> tuple[str, str]:
    if content is Disclosure.NONE:
        return NEW_MAIL, ""
    if waiting.header is None:
        return _of_storm(waiting.storm)
    return _of_mail(waiting.header, content)


def _of_mail(header: Header, content: Disclosure) -> tuple[str, str]:
    title = _bounded(header.from_name or header.from_address, TITLE_BYTES) or "(unknown sender)"
    if content is Disclosure.SENDER:
        return title, ""
    subject = _bounded(header.subject, BODY_BYTES) or "(no subject)"
    return title, _bounded(" – ".join(filter(None, (subject, header.snippet.strip()))), BODY_BYTES)


def _of_storm(storm: Storm | None) -> tuple[str, str]:
    if storm is None:
        return NEW_MAIL, ""
    sender = _bounded(storm.from_name or storm.from_address or "", TITLE_BYTES)
    more = f"{storm.more} more" if storm.more > 1 else "one more"
    return (sender, more) if sender else (NEW_MAIL, more)


def _bounded(text: str, most_bytes: int) -> str:
    """Plain and short enough: a stranger wrote it, and whoever shows it is not ours."""
    return graphemes.clip_bytes(" ".join(_CONTROLS.sub(" ", _TURNS.sub("", text)).split()), most_bytes)


def topic(waiting: PushWaiting) -> str:
    """What a push service knows a message again by, so that what it has twice becomes one (RFC 8030 §5.4)."""
    return ids.encode(waiting.number)

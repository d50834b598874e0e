"""What a device may want to know of a mail before it shows it, read from its fields and parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.mail import authentication, bounce, params, plain
from bridge.mail.content import PKCS7
from bridge.model import Flag

if TYPE_CHECKING:
    from bridge.mail.fields import Fields
    from bridge.mail.mime import Part, Walk
    from bridge.mail.params import Parameterized

_SPAM = re.compile(rb"(?:default:\s*)?(?:yes|true|spam)\b", re.IGNORECASE)
"""The verdict of SpamAssassin in X-Spam-Flag and X-Spam-Status, of rspamd in X-Spam and X-Spamd-Result."""
_NONE = Flag(0)
_BULK = {b"bulk", b"list", b"junk"}
_PRIORITIES = ("importance", "x-priority", "priority", "x-msmail-priority")
_LIST_FIELDS = ("list-id", "list-unsubscribe", "list-post", "mailing-list")
_REPORTS = {"message/disposition-notification", "message/feedback-report"}
_SERVERS = ("mailer-daemon", "postmaster")
_NO_TYPE = params.Parameterized("")
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
_SMIME = {"signed-data": Flag.SIGNED, "certs-only": Flag(0), "compressed-data": Flag(0)}
_NO_ATTACHMENTS = _SIGNATURES | bounce.STATUS | _REPORTS | PKCS7
_PGP = "application/pgp-encrypted"
"""The part before what is sealed, which servers on the way may leave as the only sign of it."""
_NO_ATTACHMENTS |= {_PGP, "text/rfc822-headers", "text/calendar", "application/ics"}
_TELLING = _SIGNATURES | bounce.STATUS | _REPORTS | PKCS7 | {_PGP, "text/calendar"}
_TELLING |= {"multipart/encrypted", "multipart/signed", "multipart/report"}
"""Types that say what a mail is."""


def of(
    top: Fields,
    kind: Parameterized,
    walk: Walk,
    *,
    report: bounce.Report,
    sender: str,
    shown: frozenset[str] = frozenset(),
    complete: bool = True,
    authserv_ids: frozenset[str] = frozenset(),
    spam_headers: tuple[str, ...] = (),
) -> Flag:
    """The flags of a message, by its top fields, its content type and its parts.

    `report` is what it says of deliveries, `sender` the From address, `shown` the ids of what its pages show
    themselves. Without `complete` the message was cut: then a multipart/mixed that was still open counts as having an
    attachment. Authenticated is believed of configured authserv-ids only (see `authentication.passes`), suspicious of
    configured spam headers only.
    """
    if plain.origin(top) and not sender.startswith(_SERVERS) and _says_nothing(kind, walk.parts):
        flags = _NONE
    else:
        flags = _told(top, kind, walk.parts, sender, report)
    if attached(walk.parts, shown) or (not complete and "multipart/mixed" in walk.unfinished):
        flags = flags | Flag.ATTACHMENT if flags else Flag.ATTACHMENT
    if spam_headers and any(_SPAM.match(value) for name in spam_headers for value in top.all(name.lower())):
        flags |= Flag.SUSPICIOUS
    if authserv_ids and authentication.passes(top.all("authentication-results"), authserv_ids):
        flags |= Flag.AUTHENTICATED
    return flags


def _says_nothing(kind: Parameterized, parts: tuple[Part, ...]) -> bool:
    """Whether no part, and no multipart around one, is a report, a seal or an event."""
    if kind.value in _TELLING:
        return False
    for part in parts:  # noqa: SIM110 - all() of a generator takes three times as long
        if part.content_type in _TELLING or not _TELLING.isdisjoint(part.within):
            return False
    return True


def _told(top: Fields, kind: Parameterized, parts: tuple[Part, ...], sender: str, report: bounce.Report) -> Flag:
    """What the fields of a mail say, and the types of its parts."""
    flags = _NONE
    for some in (_priority(top), _origin(top), _secrecy(kind, parts), _report(top, kind, parts, sender, report)):
        if some is not _NONE:
            flags |= some
    return flags | Flag.INVITATION if any(map(invites, parts)) else flags


def within(walk: Walk, *, shown: frozenset[str]) -> Flag:
    """The flags that the parts of a message have which another one holds."""
    flags = _secrecy(_NO_TYPE, walk.parts)
    if attached(walk.parts, shown):
        flags |= Flag.ATTACHMENT
    if any(map(invites, walk.parts)):
        flags |= Flag.INVITATION
    return flags


def attached(parts: tuple[Part, ...], shown: frozenset[str] = frozenset()) -> list[Part]:
    """The parts that are attachments to the eyes of a person; `shown` are the ids of what pages show themselves."""
    found: list[Part] = []
    before: Part | None = None
    for part in parts:
        if not part.inline_text or part.file_name:
            sealed = before is not None and before.content_type == _PGP and before.within == part.within
            if not sealed and _attached(part, shown):
                found.append(part)
        before = part
    return found


def _attached(part: Part, shown: frozenset[str]) -> bool:
    if part.content_type in _NO_ATTACHMENTS or _in_report(part) or "multipart/encrypted" in part.within:
        return False
    if part.content_type.startswith("image/") and part.content_id in shown:
        return False
    if part.disposition == "attachment":
        return True
    if part.content_type.startswith(("text/", "multipart/")):
        return bool(part.file_name) and part.disposition != "inline"
    if ("multipart/related" in part.within and part.content_id) or part.inline_text:
        return False
    return part.content_type != "message/external-body"


def invites(part: Part) -> bool:
    """Whether a part is a calendar invitation (RFC 6047 §2.4)."""
    return part.content_type == "text/calendar" and part.method == "request"


def _in_report(part: Part) -> bool:
    return bool(part.within) and part.within[-1] == "multipart/report"


def _priority(top: Fields) -> Flag:
    """Importance and Priority (RFC 2156 §5.3), X-Priority and X-MSMail-Priority; the first that says more."""
    for name in _PRIORITIES:
        if name not in top.values:
            continue
        value = top.first(name).lower()
        if value.startswith((b"high", b"urgent", b"1", b"2")):
            return Flag.URGENT
        if value.startswith((b"low", b"non-urgent", b"4", b"5")):
            return Flag.LOW_PRIORITY
    return _NONE


def _origin(top: Fields) -> Flag:
    """Lists and bulk (RFC 2919, RFC 2369, Precedence), automatic mail (RFC 3834 §5)."""
    flags = _NONE
    precedence = top.first("precedence").lower()
    if precedence in _BULK or any(name in top for name in _LIST_FIELDS):
        flags |= Flag.BULK
    submitted = top.first("auto-submitted").lower()
    replied = precedence == b"auto_reply" or "x-autoreply" in top or "x-autorespond" in top
    if replied or (submitted and not submitted.startswith(b"no")):
        flags |= Flag.AUTOMATIC
    return flags


def _secrecy(kind: Parameterized, parts: tuple[Part, ...]) -> Flag:
    """PGP/MIME (RFC 3156) and S/MIME (RFC 8551 §3)."""
    flags = _NONE
    types = {kind.value}.union(*(part.within for part in parts))
    if "multipart/encrypted" in types or any(part.content_type == _PGP for part in parts):
        flags |= Flag.ENCRYPTED
    if "multipart/signed" in types or any(part.content_type in _SIGNATURES for part in parts):
        flags |= Flag.SIGNED
    for part in parts:
        if part.content_type in PKCS7:
            flags |= _SMIME.get(part.smime_type, Flag.ENCRYPTED)
    return flags


def _report(top: Fields, kind: Parameterized, parts: tuple[Part, ...], sender: str, report: bounce.Report) -> Flag:
    """Delivery status (RFC 3464), disposition (RFC 8098) and abuse reports (RFC 5965).

    A bounce is what failed for good. A report that cannot be read, or was cut before it, is taken for one.
    """
    types = {part.content_type for part in parts}
    named = kind.text("report-type").lower() if kind.value == "multipart/report" else ""
    null_return = "return-path" in top and not top.first("return-path").strip(b"<> \t")
    local = sender.partition("@")[0]
    by_server = null_return or local == "postmaster" or "auto-submitted" in top or kind.value == "multipart/report"
    delivery = named == "delivery-status" or (types & bounce.STATUS and by_server) or "x-failed-recipients" in top
    if delivery or local == "mailer-daemon" or (local == "postmaster" and null_return):
        failed = bool(report.missed) if report.told else not report.waits
        return Flag.BOUNCE | Flag.AUTOMATIC if failed else Flag.AUTOMATIC
    return Flag.AUTOMATIC if named or types & _REPORTS else _NONE

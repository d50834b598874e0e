"""Keeping mail as one unit of work: boxes as loaded and the mails that came, to what is to be written. Pure.

A message is kept once per user however many of the user's addresses it names. A delivery that is tried again because
our 250 was lost is a known copy (same user, same Message-ID, same content, within a day) and gets the id of the first,
also within one group; without a Message-ID nothing is ever taken for a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.box import judging
from bridge.box.live_set import pushed_out
from bridge.box.writes import BodyRow, BoxRow, Gathered, MessageRow, Waits, Writes
from bridge.contract import ids
from bridge.contract.expiry import left_s
from bridge.contract.header import fitted, packed, sender_date
from bridge.contract.publication import Kind, event_of, header_of
from bridge.contract.views import event_view
from bridge.kept import Kept
from bridge.model import Header
from bridge.rules.alert import Alert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.box.box import Box, Loaded, Mail, Terms
    from bridge.box.judging import Judged
    from bridge.box.live_set import Retention
    from bridge.model import Recipient


_HEADER, _EVENT = Waits.HEADER.value, Waits.EVENT.value


def keep(mails: Iterable[Mail], loaded: Loaded, *, now_ms: int, terms: Terms, retention: Retention) -> Writes:
    """Keep each mail for each of its users; a user whose box is not there any more is left out.

    What is on disk for one message then: in `body` its raw bytes, or the name of its spool file; for each user a row of
    `message` with the header as it is published, which says itself what of it waits for the broker; the box's newest
    number and counts; the marks of its views, once a group; if it rings a row for each device that is rung by push; and
    for a user with a rate that it rang, or its part in the storm.
    """
    work = _Work(loaded, now_ms=now_ms, terms=terms, retention=retention)
    for mail in mails:
        work.keep(mail)
    work.finish()
    return work.writes


class _Open:
    """A box while it is worked on."""

    __slots__ = ("box", "fresh", "kept", "last", "rang", "stored")

    def __init__(self, box: Box) -> None:
        self.box = box
        self.last = box.last_number
        self.kept = 0
        self.stored = 0
        self.fresh: list[int] = []
        self.rang = box.rang_ms


class _Work:
    """One group on its way into `writes`."""

    def __init__(self, loaded: Loaded, *, now_ms: int, terms: Terms, retention: Retention) -> None:
        self.writes = Writes()
        self._copies = dict(loaded.copies)
        self._open = {user_id: _Open(box) for user_id, box in loaded.boxes.items()}
        self._next_body = loaded.next_body
        self._now_ms = now_ms
        self._terms = terms
        self._retention = retention
        self._shown: list[tuple[_Open, Header]] = []
        """Whose each of the new messages is, and its header as it is published; in the order of their rows."""

    def keep(self, mail: Mail) -> None:
        """Note one mail for all its users."""
        body_id, kept, taken = 0, [], set()
        for recipient in mail.envelope.recipients:
            user_id = recipient.user_id
            if user_id in taken:
                continue
            taken.add(user_id)
            same = (user_id, mail.message_id, mail.envelope.body.digest)
            known = self._copies.get(same) if mail.message_id else None
            if known is not None:
                kept.append(Kept(user_id, recipient.user, known, copy_of_known=True))
                continue
            opened = self._open.get(user_id)
            if opened is None:
                continue
            body_id = body_id or self._keep_body(mail)
            kept.append(self._keep_for(opened, mail, recipient, body_id))
            if mail.message_id:
                self._copies[same] = opened.last
        self.writes.kept.append(tuple(kept))

    def _keep_body(self, mail: Mail) -> int:
        body, body_id = mail.envelope.body, self._next_body
        self._next_body += 1
        raw = body.head if body.spooled is None else None
        self.writes.bodies.append(BodyRow(body_id, self._now_ms, body.size, raw, body.spooled))
        return body_id

    def _keep_for(self, opened: _Open, mail: Mail, recipient: Recipient, body_id: int) -> Kept:
        box, envelope, header = opened.box, mail.envelope, mail.header
        number = opened.last = ids.following(opened.last, unix_ms=self._now_ms)
        date = sender_date(header.date, arrival_ms=ids.received_ms(number))
        if date != header.date or recipient.detail:
            header = Header(  # by hand, since most mail has a date of the sender's that says nothing new
                header.flags,
                header.from_name,
                header.from_address,
                header.subject,
                header.snippet,
                header.size,
                recipient.detail,
                date,
            )
        judged = judging.judge(
            box.rules, opened.rang, header, list_id=mail.list_id, now_ms=self._now_ms, spam=self._terms.spam
        )
        shown, payload = packed(judged.header, limit=self._terms.payload_limit)
        opened.kept += 1
        opened.stored += envelope.body.size
        told = judged.alert is not Alert.SUPPRESSED
        if told:
            opened.fresh.append(number)
        self.writes.messages.append(
            MessageRow(
                box.user_id,
                number,
                payload,
                mail.message_id,
                envelope.body.digest,
                envelope.body.size,
                body_id,
                0 if told else 1,
                1 if told else 0,
                _waits(judged.alert, box) if told else 0,
                1 if judged.alert.silent else 0,
                str(judged.alert),
                judged.reason,
                envelope.sender,
                recipient.address,
                envelope.peer,
                envelope.protocol,
            )
        )
        self._shown.append((opened, shown))
        self._ring(opened, number, judged)
        return Kept(box.user_id, recipient.user, number, alert=judged.alert)

    def _ring(self, opened: _Open, number: int, judged: Judged) -> None:
        """Note what a message means for the rate of its user, and for devices that are rung by push."""
        user_id = opened.box.user_id
        if judged.rate is not None:
            self.writes.rang_since[user_id] = self._now_ms - judged.rate.window_ms
            if judged.alert is Alert.RING:
                opened.rang = (*opened.rang, self._now_ms)
                self.writes.rings.append((user_id, number, self._now_ms))
            elif judged.alert is Alert.STORM:
                self.writes.gathered.append(Gathered(user_id, number, judged.header, judged.rate.window_ms))
        if opened.box.rung and not judged.alert.silent:
            self.writes.rung.append((user_id, number))

    # --- behind all mails ------------------------------------------------------------------------

    def finish(self) -> None:
        """Work the live sets out, and what can be published."""
        writes, gone = self.writes, set()
        for user_id, opened in self._open.items():
            if not opened.kept:
                continue
            box, fresh = opened.box, opened.fresh
            leaves: tuple[int, ...] = ()
            if fresh:
                writes.views.append(user_id)
                leaves = pushed_out(
                    box.oldest, fresh, live=box.live, retention=self._retention, now_ms=self._now_ms
                ).leaves
            writes.boxes.append(BoxRow(user_id, opened.last, len(fresh) - len(leaves), opened.kept, opened.stored))
            if leaves:
                gone |= {(user_id, number) for number in leaves}
                before = tuple(number for number in leaves if number <= box.last_number)
                if before:
                    writes.leaves[user_id] = before
        for index, (opened, shown) in enumerate(self._shown):
            row = writes.messages[index]
            if (row.user_id, row.number) in gone:  # more came at once than may be live
                writes.messages[index] = row._replace(live=0, waits=0)
            elif row.waits:
                self._publish(opened.box, row, shown)

    def _publish(self, box: Box, row: MessageRow, shown: Header) -> None:
        expiry_s = left_s(ids.received_ms(row.number), days=self._retention.days, now_ms=self._now_ms)
        payload = fitted(row.header, box.payload)
        self.writes.fresh.append(
            header_of(box.name, box.user_id, row.number, payload, expiry_s=expiry_s, cell=box.cell)
        )
        if row.waits & _EVENT:
            told = event_view(row.number, shown, user=box.name)
            self.writes.fresh.append(
                event_of(box.name, box.user_id, row.number, told, expiry_s=expiry_s, cell=box.cell)
            )


def _waits(alert: Alert, box: Box) -> int:
    """What of a new message the broker is to be told; the messages of a storm have one event together, when it is over.

    Plain numbers, since this is done for each mail.
    """
    event = alert is not Alert.STORM and Kind.EVENT in box.views
    return _HEADER | _EVENT if event else _HEADER

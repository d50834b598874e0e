"""What `watch` does with a mail: records it, prints it, and then lets the bell ring and the hook run."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.contract.errors import ContractError
from clients.contract.header import decode_header, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.box.inbox import Gone, Shown
    from clients.contract.header import Header
    from clients.contract.requests import Reply
    from clients.journal.file import Journal
    from clients.relay import Relay
    from clients.seen import SeenRequests
    from clients.terminal.output import Output
    from clients.terminal.read.errands import Errands
    from clients.terminal.screen import Screen
    from clients.terminal.watch.alarm import Alarm
    from clients.terminal.watch.hook import Hook


@dataclass(frozen=True, slots=True)
class Effects:
    """What a mail sets off once it is shown: what is to be heard, the user's command, marking as seen."""

    alarm: Alarm | None
    hook: Hook | None
    mark_seen: bool


class WatchDisplay:
    """The `Display` of a watcher. Each method returns when what it promises is done."""

    def __init__(
        self,
        *,
        journal: Journal,
        output: Output,
        screen: Screen,
        seen: SeenRequests,
        relay: Relay,
        effects: Effects,
        notice: Callable[[str], None],
        clock: Callable[[], float],
        errands: Errands | None = None,
    ) -> None:
        self._journal, self._output, self._screen = journal, output, screen
        self._seen, self._relay, self._effects = seen, relay, effects
        self._notice, self._clock, self._errands = notice, clock, errands
        self._headers: dict[str, Header] = {}
        for mail_id, payload in journal.snapshot.headers.items():
            with suppress(ContractError):
                self._headers[mail_id] = decode_header(payload)

    def recover(self) -> None:
        """Print the message that was recorded last if nobody knows whether it was printed."""
        entry = self._journal.uncertain
        if entry is None:
            return
        try:
            header = decode_header(entry.payload)
        except ContractError as error:
            self.notice(f"skipped a message in the state file: {error}")
        else:
            number = self._journal.snapshot.numbers.of(entry.mail_id)
            self._output.write(self._output.missing(self._screen.shown(entry.mail_id, header, number)))
        self._journal.printed(entry.sequence)

    def show(self, message: Shown) -> None:
        """Record, print, note that it was printed: in this order, with nothing in between."""
        line = self._screen.shown(message.mail_id, message.header, self._journal.snapshot.numbers.of(message.mail_id))
        sequence = self._journal.announce(message.mail_id, message.payload)
        self._output.write(line)
        self._journal.printed(sequence)
        self._headers[message.mail_id] = message.header
        if self._effects.alarm is not None:
            self._effects.alarm.mail(message.header)
        if self._effects.hook is not None:
            description = json.dumps(describe(message.mail_id, message.header), ensure_ascii=False)
            self._effects.hook.run(message.mail_id, description.encode() + b"\n")
        if self._effects.mark_seen:
            self._seen.want([message.mail_id])

    def come_back(self, mail_id: str) -> None:
        """It was pushed out before it could be marked as seen, perhaps by an earlier process that died."""
        if self._effects.mark_seen:
            self._seen.want([mail_id])

    def vanish(self, message: Gone) -> None:
        """Say that the message vanished, if it was shown."""
        header = self._headers.pop(message.mail_id, None)
        self._seen.gone(message.mail_id)
        if message.shown:
            self._output.write(self._screen.gone(message.mail_id, header))

    def answer(self, reply: Reply, payload: bytes) -> None:
        """A reply to a `seen` request, or to a request that was passed on for another command."""
        if self._relay.reply(reply.request_id, payload):
            return
        if self._errands is not None:
            self._errands.answered(reply, now=self._clock())
        refusal = self._seen.answered(reply, now=self._clock())
        if refusal is not None:
            self.notice(f"the bridge did not mark messages as seen: {refusal}")

    def notice(self, text: str) -> None:
        """Tell the user on standard error."""
        self._notice(text)

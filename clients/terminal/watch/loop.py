"""`watch`: shows each message once, as it comes, whatever happens to the process or the connection."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.protocol import ContractError, Reply, decode_header, describe
from clients.terminal.signals import ENDING, Signals

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from clients.box.inbox import Gone, Shown
    from clients.device import Device
    from clients.journal.file import Journal
    from clients.protocol import Header
    from clients.relay import Relay
    from clients.seen import SeenRequests
    from clients.session import Session
    from clients.terminal.output import Output
    from clients.terminal.screen import Screen
    from clients.terminal.watch.hook import Hook
    from clients.terminal.watch.keys import Keys


@dataclass(frozen=True, slots=True)
class Ringing:
    """What happens beside showing: the bell, the user's command, marking as seen at once."""

    bell: Callable[[], None] | None
    hook: Hook | None
    mark_seen: bool


class WatchDisplay:
    """Records, prints and rings; the other half of `Watch`, which owns the loop."""

    def __init__(
        self,
        *,
        journal: Journal,
        output: Output,
        screen: Screen,
        seen: SeenRequests,
        relay: Relay,
        ringing: Ringing,
        notice: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._journal, self._output, self._screen = journal, output, screen
        self._seen, self._relay, self._ringing = seen, relay, ringing
        self._notice, self._clock = notice, clock
        self._headers: dict[str, Header] = {}

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
            self._output.write(self._output.missing(self._screen.shown(entry.mail_id, header)))
        self._journal.printed(entry.sequence)

    def show(self, message: Shown) -> None:
        """Record, print, note that it was printed: in this order, with nothing in between."""
        line = self._screen.shown(message.mail_id, message.header)
        sequence = self._journal.announce(message.mail_id, message.payload)
        self._output.write(line)
        self._journal.printed(sequence)
        self._headers[message.mail_id] = message.header
        if self._ringing.bell is not None and not message.header.silent:
            self._ringing.bell()
        if self._ringing.hook is not None:
            description = json.dumps(describe(message.mail_id, message.header), ensure_ascii=False)
            self._ringing.hook.ring(message.mail_id, description.encode() + b"\n")
        if self._ringing.mark_seen:
            self._seen.want([message.mail_id])

    def come_back(self, mail_id: str) -> None:
        """It was pushed out before it could be marked as seen, perhaps by an earlier process that died."""
        if self._ringing.mark_seen:
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
        refusal = self._seen.answered(reply, now=self._clock())
        if refusal is not None:
            self.notice(f"the bridge did not mark messages as seen: {refusal}")

    def notice(self, text: str) -> None:
        """Tell the user on standard error."""
        self._notice(text)


class Watch:
    """The loop of the watcher: broker, keys, signals and timers, one thread."""

    def __init__(
        self,
        *,
        session: Session,
        device: Device,
        seen: SeenRequests,
        relay: Relay,
        ringing: Ringing,
        request_topic: str,
        keys: Keys | None,
        clock: Callable[[], float],
    ) -> None:
        self._session, self._device, self._seen = session, device, seen
        self._relay, self._ringing = relay, ringing
        self._request_topic, self._keys, self._clock = request_topic, keys, clock
        self._ended = False

    def run(self) -> None:
        """Watch until a signal or `q` ends it. Raises ClientError when it cannot go on."""
        with ExitStack() as stack:
            signals = stack.enter_context(Signals())
            if self._keys is not None:
                stack.enter_context(self._keys)
            stack.enter_context(self._relay)
            stack.callback(self._session.close)
            self._device.release_held()
            if self._ringing.mark_seen:
                self._seen.want(self._device.shown)
            while not self._ended:
                self._step(signals)
        if self._ringing.hook is not None:
            self._ringing.hook.finish()

    def _step(self, signals: Signals) -> None:
        was_up = self._session.up
        also = [signals.fileno(), *self._relay.filenos()]
        also += [] if self._keys is None else [self._keys.fileno()]
        ready = self._session.step(self._timeout(), also=also)
        requests = self._relay.requests(ready)
        if self._session.up:
            if not was_up:
                self._seen.resumed(self._clock())
            requests.append(self._seen.request(self._clock()) or b"")
            for request in filter(None, requests):
                self._session.publish(self._request_topic, request)
        self._device.tend(self._session)
        if signals.fileno() in ready:
            self._handle_signals(signals.read())
        if self._keys is not None and self._keys.fileno() in ready:
            self._handle_keys(self._keys.read())

    def _timeout(self) -> float | None:
        if not self._session.up:
            return None
        now = self._clock()
        deadlines = [each for each in (self._device.deadline(), self._seen.deadline(now)) if each is not None]
        return max(0.0, min(deadlines) - now) if deadlines else None

    def _handle_signals(self, numbers: set[int]) -> None:
        ending: frozenset[signal.Signals] = ENDING
        self._ended = self._ended or not ending.isdisjoint(numbers)
        if self._ringing.hook is not None:
            self._ringing.hook.poll()
        if self._keys is not None:
            self._keys.resume()

    def _handle_keys(self, pressed: str) -> None:
        if not pressed:
            self._ended = True
        for key in pressed:
            unmarked = [each for each in self._device.live if not self._seen.wanted(each)]
            if key == "q":
                self._ended = True
            elif key == "a":
                self._seen.want(unmarked)
            elif key == "s":
                self._seen.want(unmarked[-1:])

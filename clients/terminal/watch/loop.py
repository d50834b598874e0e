"""The loop of `watch`: broker, keys, signals and timers in one thread, whatever happens to the connection."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from clients.terminal.signals import ENDING, Signals

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from clients.device import Device
    from clients.relay import Relay
    from clients.seen import SeenRequests
    from clients.session import Session
    from clients.terminal.read.errands import Errands
    from clients.terminal.watch.display import Effects
    from clients.terminal.watch.key_commands import KeyCommands
    from clients.terminal.watch.keys import Keys


class Watch:
    """The watcher: shows each mail once, as it comes, until a signal or a key ends it."""

    def __init__(
        self,
        *,
        session: Session,
        device: Device,
        seen: SeenRequests,
        relay: Relay,
        effects: Effects,
        request_topic: str,
        keys: Keys | None,
        clock: Callable[[], float],
        desk: KeyCommands | None = None,
        errands: Errands | None = None,
    ) -> None:
        self._session, self._device, self._seen = session, device, seen
        self._relay, self._effects = relay, effects
        self._request_topic, self._keys, self._clock = request_topic, keys, clock
        self._desk, self._errands = desk, errands
        self._ended = False

    def run(self) -> None:
        """Watch until a signal or `q` ends it. Raises ClientError when it cannot go on."""
        with ExitStack() as stack:
            signals = stack.enter_context(Signals())
            if self._keys is not None:
                stack.enter_context(self._keys)
            stack.enter_context(self._relay)
            stack.callback(self._session.close)
            if self._effects.alarm is not None:
                self._effects.alarm.connected()
            self._device.show_unshown()
            if self._effects.mark_seen:
                self._seen.want(self._device.shown)
            while not self._ended:
                self._step(signals)
        if self._effects.hook is not None:
            self._effects.hook.finish()

    def _step(self, signals: Signals) -> None:
        was_up = self._session.up
        also = [signals.fileno(), *self._relay.filenos()]
        also += [] if self._keys is None else [self._keys.fileno()]
        ready = self._session.step(self._timeout_s(), also=also)
        requests = self._relay.requests(ready)
        if self._session.up:
            if not was_up:
                self._resumed()
            requests.append(self._seen.request(self._clock()) or b"")
            if self._errands is not None:
                requests.append(self._errands.request(self._clock(), up=True) or b"")
            for request in filter(None, requests):
                self._session.publish(self._request_topic, request)
        elif self._errands is not None:
            self._errands.request(self._clock(), up=False)
        self._device.tend(self._session)
        if self._effects.alarm is not None:
            self._effects.alarm.tend(caught_up=self._device.caught_up)
        if signals.fileno() in ready:
            self._handle_signals(signals.read())
        if self._keys is not None and self._keys.fileno() in ready:
            self._handle_keys(self._keys.read())

    def _resumed(self) -> None:
        """The connection is back, or there for the first time."""
        self._seen.resumed(self._clock())
        if self._errands is not None:
            self._errands.resumed(self._clock())
        if self._effects.alarm is not None:
            self._effects.alarm.connected()

    def _timeout_s(self) -> float | None:
        now, up = self._clock(), self._session.up
        deadlines = [] if self._effects.alarm is None else [self._effects.alarm.due_at]
        if self._errands is not None:
            deadlines.append(self._errands.due_at(now, up=up))
        if up:
            deadlines += [self._device.due_at(), self._seen.due_at(now)]
        known = [each for each in deadlines if each is not None]
        return max(0.0, min(known) - now) if known else None

    def _handle_signals(self, numbers: set[int]) -> None:
        ending: frozenset[signal.Signals] = ENDING
        self._ended = self._ended or not ending.isdisjoint(numbers)
        if self._effects.hook is not None:
            self._effects.hook.poll()
        if self._keys is not None:
            self._keys.resume()

    def _handle_keys(self, pressed: str) -> None:
        if not pressed:
            self._ended = True
        assert self._desk is not None
        for key in pressed:
            self._desk.press(key)
        self._ended = self._ended or self._desk.quit

"""Named points: where in its work a process can be told to die, by wrapping methods before it starts.

Nothing in the programs knows of this. A point is armed as `name:passage`, and at that passage the
process sends itself SIGKILL, in whatever thread it is.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Place:
    """A method, and whether the process dies before or after it."""

    module: str
    method: str
    after: bool = False
    asynchronous: bool = False
    when: Callable[..., bool] = lambda *_, **__: True


def _retained(*_: Any, retain: bool, **__: Any) -> bool:
    return retain


def _accepting(_session: Any, answers: Any) -> bool:
    return any(answer.accepted for answer in answers)


def _for_mail(_self: Any, batch: list[Any]) -> bool:
    return any(job.operation.__qualname__ == "keep" for job in batch)


def _new(_pump: Any, news: Any) -> bool:
    return bool(news.fresh)


PLACES = {
    # the bridge: commit, reply, hand over, publish, acknowledge, settle, repair
    "before_commit": Place("bridge.store.writer", "Writer._commit", when=_for_mail),
    "after_commit": Place("bridge.store.writer", "Writer._commit", after=True, when=_for_mail),
    "before_reply": Place("bridge.ingress.conversation", "delivered", when=_accepting),
    "after_handover": Place("bridge.publish.outbox", "Outbox.committed", after=True, when=_new),
    "before_publish": Place("bridge.publish.connection", "BrokerConnection.post", when=_retained),
    "after_publish": Place("bridge.publish.connection", "BrokerConnection.post", after=True, when=_retained),
    "after_puback": Place("bridge.publish.outbox", "Outbox._landed"),
    "before_settle": Place("bridge.store.outbox", "settle"),
    "after_settle": Place("bridge.publish.outbox", "Outbox._settle", after=True, asynchronous=True),
    "before_repair": Place("bridge.store.repair", "mark"),
    "after_repair": Place("bridge.store.repair", "mark", after=True),
    "before_ring": Place("bridge.push.delivery", "PushDelivery._begin"),
    "after_ring": Place("bridge.push.courier", "Courier.post", after=True, asynchronous=True),
    # the watcher: record, print, note, acknowledge
    "before_record": Place("clients.terminal.watch.display", "WatchDisplay.show"),
    "after_record": Place("clients.journal.file", "Journal.announce", after=True),
    "after_print": Place("clients.journal.file", "Journal.printed"),
    "after_mark": Place("clients.journal.file", "Journal.printed", after=True),
    "before_ack": Place("clients.device", "Device.received", after=True),
    "after_ack": Place("clients.session", "Session._on_message", after=True),
    # the embedded broker: fan out, make durable, forget
    "before_queue_commit": Place("broker.sessions", "SessionStore._commit"),
    "after_queue_commit": Place("broker.sessions", "SessionStore._commit", after=True),
    "after_fan_out": Place("broker.router", "Router.publish", after=True),
    "before_done": Place("broker.sessions", "SessionStore.done"),
}


def die() -> None:
    """SIGKILL to ourselves: nothing of this process runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def arm(point: str) -> None:
    """Arm `name:passage`; an empty text arms nothing."""
    if not point:
        return
    name, _, passage = point.partition(":")
    passages = itertools.count(1)

    def due() -> bool:
        return next(passages) >= int(passage)

    if name == "after_reply":
        _arm_after_reply(due)
        return
    place = PLACES[name]
    owner: Any = importlib.import_module(place.module)
    *path, attribute = place.method.split(".")
    for step in path:
        owner = getattr(owner, step)
    wrap = _wrap_asynchronous if place.asynchronous else _wrap
    setattr(owner, attribute, wrap(getattr(owner, attribute), place, due))


def _wrap(method: Callable[..., Any], place: Place, due: Callable[[], bool]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        counts = place.when(*arguments, **options) and due()
        if counts and not place.after:
            die()
        result = method(*arguments, **options)
        if counts:
            die()
        return result

    return wrapped


def _wrap_asynchronous(method: Callable[..., Any], place: Place, due: Callable[[], bool]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def wrapped(*arguments: Any, **options: Any) -> Any:
        result = await method(*arguments, **options)
        if place.when(*arguments, **options) and due():
            die()
        return result

    return wrapped


def _arm_after_reply(due: Callable[[], bool]) -> None:
    """Die once a 250 for a message has gone out on the socket."""
    conversation: Any = importlib.import_module("bridge.ingress.conversation")

    judge, flush = conversation.delivered, conversation.Conversation._flush
    gave_word: set[Any] = set()

    def noting(session: Any, answers: Any) -> Any:
        if any(answer.accepted for answer in answers):
            gave_word.add(session)
        return judge(session, answers)

    def flushing(self: Any) -> None:
        promised = bool(self._said) and self._session in gave_word
        flush(self)
        if promised:
            gave_word.discard(self._session)
            if due():
                die()

    conversation.delivered, conversation.Conversation._flush = noting, flushing

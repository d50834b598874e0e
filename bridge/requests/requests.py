"""Requests from devices: seen and unseen, bodies and parts on demand (docs/protocol.md, "Requests").

Every operation is idempotent, so a device that got no reply asks again. Replies go only to the
device that asked, in chunks, and are not retained: they are the one thing that does not pass
through the outbox.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from bridge.contract import requests, topics
from bridge.contract.requests import Operation, Request, Status
from bridge.errors import BadRequestError, LinkDownError, PublishRefusedError, StoreUnavailableError
from bridge.requests.allowance import Allowances
from bridge.requests.answers import Answer, AnswerCache, extract
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.contract.topics import RequestTopic
    from bridge.directory import Directory
    from bridge.kept import StoredBody
    from bridge.requests.needs import Messages, PushSubscriptions

CHUNKS_PER_REQUEST = 32
RECENT_AT_MOST = 500
AT_ONCE = 8
_OPERATIONS = frozenset(operation.value for operation in Operation)


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """Where a reply goes, and the correlation data that goes with it on MQTT 5 (MQTT 5 §3.3.2.3.6)."""

    topic: str
    correlation: bytes | None = None


class Requests:
    """Answers requests.

    `directory` gives the users as they are now, `pushing` knows where their devices are rung. `load` reads a stored
    body: None when it is gone, StoreUnavailableError when the disk does not give it. `reply` publishes a reply, or
    raises LinkDownError or PublishRefusedError. A reply has chunks of at most `chunk` bytes; `rate` are requests per
    second and device, `monotonic` gives seconds.
    """

    def __init__(
        self,
        *,
        store: Messages,
        pushing: PushSubscriptions,
        directory: Callable[[], Directory],
        load: Callable[[StoredBody], Awaitable[bytes | None]],
        reply: Callable[[ReturnPath, bytes], Awaitable[None]],
        root: str,
        chunk: int,
        rate: float,
        monotonic: Callable[[], float],
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._pushing = pushing
        self._directory = directory
        self._load = load
        self._reply = reply
        self._root = root
        self._chunk = chunk
        self._monotonic = monotonic
        self._tally = tally or Tally()
        self._allowances = Allowances(rate)
        self._cache = AnswerCache()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._log = structlog.get_logger()

    async def handle(
        self, topic: str, payload: bytes, *, response_topic: str = "", correlation: bytes | None = None
    ) -> None:
        """Answer one request; whatever is wrong with it becomes a reply or is dropped.

        A payload that is no request costs as much as one, and is answered under the id 0.
        """
        sender = topics.parse_request(self._root, topic)
        user = None if sender is None else self._directory().named(sender.user)
        if sender is None or user is None:
            return
        path = ReturnPath(self._reply_topic(sender, response_topic), correlation)
        affordable = self._allowances.spend(f"{sender.user}/{sender.device}", now=self._monotonic())
        try:
            request = requests.parse_request(payload)
        except BadRequestError as error:
            self._count("", error.status)
            if affordable:
                self._log.info("request_refused", user=sender.user, device=sender.device, reason=str(error))
                await self._decline(path, 0, error.status, str(error))
            return
        if not affordable:
            self._count(request.operation, Status.TOO_MANY)
            await self._decline(path, request.request_id, Status.TOO_MANY, "too many requests, wait a little")
            return
        async with self._at_once:
            self._count(request.operation, await self._serve(user.user_id, sender.device, request, path))
        self._log.info("request_answered", user=sender.user, device=sender.device, operation=request.operation[:16])

    def use(self, *, chunk: int, rate: float) -> None:
        """Answer with these settings from the next request on."""
        self._chunk = chunk
        self._allowances.rate = rate

    def _reply_topic(self, sender: RequestTopic, response_topic: str) -> str:
        """The response topic of MQTT 5 where it is the device's own reply topic or below it, else the reply topic.

        So nobody can have replies sent to another's topics.
        """
        own = f"{self._root}/{topics.reply(sender.user, sender.device)}"
        allowed = (response_topic + "/").startswith(f"{own}/") and not set(response_topic) & set("+#\0")
        return response_topic if allowed else own

    async def _serve(self, user_id: int, device: str, request: Request, path: ReturnPath) -> int:
        """Do what is asked and send the answer, or why there is none; how it went."""
        try:
            await self._stream(path, request.request_id, await self._answer(user_id, device, request))
        except BadRequestError as error:
            await self._decline(path, request.request_id, error.status, str(error))
            return error.status
        except StoreUnavailableError:
            await self._decline(path, request.request_id, Status.TEMPORARY, "try again later")
            return Status.TEMPORARY
        return Status.SUCCESS

    def _count(self, operation: str, status: int) -> None:
        """What devices write is not a label: an operation that nobody knows is `other`."""
        known = operation if operation in _OPERATIONS else "other"
        self._tally.requests[known, Status(status).name.lower()] += 1

    async def _answer(self, user_id: int, device: str, request: Request) -> Answer:
        """What an operation answers; raises BadRequestError or StoreUnavailableError."""
        arguments = request.arguments
        match request.operation:
            case Operation.SEEN | Operation.UNSEEN as operation:
                return await self._mark(user_id, arguments, seen=operation == Operation.SEEN, by=device)
            case Operation.RECENT:
                return await self._recent(user_id, arguments)
            case Operation.PARTS:
                mail_id, _ = _mail_id(arguments)
                return Answer(await self._read(user_id, mail_id, Operation.PARTS), whole=True)
            case Operation.TEXT | Operation.RAW as operation:
                mail_id, rest = _mail_id(arguments)
                return Answer(await self._read(user_id, mail_id, Operation(operation)), rest)
            case Operation.PART:
                mail_id, rest = _mail_id(arguments)
                (index,) = requests.numbers_or((0,), rest[:1])
                return Answer(await self._read(user_id, mail_id, Operation.PART, index), rest[1:])
            case Operation.PUSH:
                return await self._push(user_id, device, arguments)
            case _:
                raise _unanswerable()

    # --- one operation each -----------------------------------------------------------------------

    async def _mark(self, user_id: int, arguments: Sequence[Any], *, seen: bool, by: str) -> Answer:
        """Somebody saw these messages, or wants them as if nobody had; ids that nobody knows are no error."""
        await self._store.set_seen(user_id, requests.mail_numbers(arguments), seen=seen, by=by)
        return Answer()

    async def _recent(self, user_id: int, arguments: Sequence[Any]) -> Answer:
        """The newest headers, as many as were asked for."""
        count = arguments[0] if arguments else None
        if type(count) is not int or count < 1:  # True is a number to Python
            raise _unanswerable()
        newest = await self._store.recent(user_id, min(count, RECENT_AT_MOST))
        return Answer(requests.pack_recent(newest), arguments[1:])

    async def _push(self, user_id: int, device: str, arguments: Sequence[Any]) -> Answer:
        """Where a device is rung while it sleeps: how that goes, another place, or none."""
        if not arguments:
            key, standing = await self._pushing.key(), await self._pushing.standing(user_id, device)
            if standing is None:
                return Answer(requests.pack_push(key), whole=True)
            where = standing.subscription.endpoint
            told = requests.pack_push(key, endpoint=where, state=standing.state, reason=standing.trouble)
            return Answer(told, whole=True)
        subscription = requests.subscription(arguments)
        if subscription is None:
            await self._pushing.unsubscribe(user_id, device)
        else:
            await self._pushing.subscribe(user_id, device, subscription)
        return Answer()

    async def _read(self, user_id: int, mail_id: str, operation: Operation, index: int = 0) -> bytes:
        """What an operation gives of a message, from a small cache, for it is asked for in pieces."""
        (number,) = requests.mail_numbers([mail_id])
        key = (user_id, number, operation, index)
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        stored = await self._store.body(user_id, number)
        if stored is None:
            raise BadRequestError(Status.NO_MESSAGE, "no such message")
        raw = await self._load(stored)
        if raw is None:
            raise BadRequestError(Status.BODY_GONE, "the body is no longer kept")
        content = await asyncio.to_thread(extract, raw, operation, index)
        self._cache.put(key, content)
        return content

    # --- replies ----------------------------------------------------------------------------------

    async def _stream(self, path: ReturnPath, request_id: int, answer: Answer) -> None:
        """Send the chunks from an offset on: up to its limit, the end, or as many as one request gets.

        At least one is sent, if only an empty one.
        """
        total = len(answer.content)
        most = max(1, total) if answer.whole else CHUNKS_PER_REQUEST * self._chunk
        offset, limit = requests.window(answer.window, total=total, most=most)
        end = min(total, offset + limit)
        while True:
            chunk = answer.content[offset : min(end, offset + self._chunk)]
            await self._send(path, requests.pack_reply(request_id, offset=offset, total=total, chunk=chunk))
            offset += len(chunk)
            if offset >= end:
                break

    async def _decline(self, path: ReturnPath, request_id: int, status: int, text: str) -> None:
        await self._send(path, requests.pack_refusal(request_id, status=status, text=text))

    async def _send(self, path: ReturnPath, payload: bytes) -> None:
        try:
            await self._reply(path, payload)
        except LinkDownError:
            self._tally.replies_dropped += 1
            self._log.info("reply_dropped", reason="broker lost")
        except PublishRefusedError as error:
            self._tally.replies_dropped += 1
            self._log.warning("reply_dropped", reason=str(error))


def _unanswerable() -> BadRequestError:
    return BadRequestError(Status.BAD_REQUEST, "no such operation, or not with these arguments")


def _mail_id(arguments: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The id that an operation begins with, and the arguments behind it."""
    if not arguments or not isinstance(arguments[0], str):
        raise _unanswerable()
    return arguments[0], arguments[1:]

"""Requests from devices: seen and unseen, bodies and parts on demand (docs/protocol.md, "Requests").

Every operation is idempotent, so a device that got no reply asks again. Replies go only to the
device that asked, in chunks, and are not retained: they are the one thing that does not pass
through the outbox.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bridge.contract import ids, topics, wire
from bridge.errors import BadRequestError, LinkDownError, StoreUnavailableError
from bridge.mail import mime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.directory import Directory
    from bridge.kept import StoredBody

CHUNKS_PER_REQUEST = 32
RECENT_AT_MOST = 500
CACHE_BYTES = 32 * 2**20
BURST_S = 4.0
"""A device may save up this many seconds of its rate."""
DEVICES_REMEMBERED = 10_000
AT_ONCE = 8

BAD_REQUEST, NO_MESSAGE, BODY_GONE, NO_PART, TOO_MANY, TEMPORARY = range(1, 7)


class Messages(Protocol):
    """What the uplink needs of the store."""

    async def set_seen(self, user_id: int, numbers: Sequence[int], *, seen: bool) -> int:
        """Mark messages."""

    async def recent(self, user_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Newest messages."""

    async def body(self, user_id: int, number: int) -> StoredBody | None:
        """Where a message's bytes are."""


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """Where a reply goes, and the correlation data that goes with it on MQTT 5."""

    topic: str
    correlation: bytes | None = None


@dataclass(slots=True)
class _Allowance:
    tokens: float
    refilled: float


class Requests:
    """Answers requests. `reply` publishes a reply; `load` reads a stored body or gives None."""

    def __init__(
        self,
        *,
        store: Messages,
        directory: Callable[[], Directory],
        load: Callable[[StoredBody], Awaitable[bytes | None]],
        reply: Callable[[ReturnPath, bytes], Awaitable[None]],
        root: str,
        chunk: int,
        rate: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._directory = directory
        self._load = load
        self._reply = reply
        self._root = root
        self._chunk = chunk
        self._rate = rate
        self._monotonic = monotonic
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self._cache: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._log = structlog.get_logger()

    async def handle(
        self, topic: str, payload: bytes, *, response_topic: str = "", correlation: bytes | None = None
    ) -> None:
        """Answer one request; whatever is wrong with it becomes a reply or is dropped.

        The response topic of MQTT 5 is honoured at or below the device's own reply topic and
        nowhere else: nobody can have replies sent to another's topics.
        """
        sender = topics.parse_request(self._root, topic)
        if sender is None:
            return
        user = self._directory().named(sender.user)
        if user is None:
            return
        own = f"{self._root}/{topics.reply(sender.user, sender.device)}"
        allowed = (response_topic + "/").startswith(f"{own}/") and not set(response_topic) & set("+#\0")
        path = ReturnPath(response_topic if allowed else own, correlation)
        affordable = self._spend(f"{sender.user}/{sender.device}")
        try:
            request = wire.parse_request(payload)
        except BadRequestError as error:
            if not affordable:
                return
            self._log.info("request_refused", user=sender.user, device=sender.device, reason=str(error))
            await self._send(path, wire.pack_refusal(0, status=error.status, text=str(error)))
            return
        if not affordable:
            refusal = wire.pack_refusal(request.request_id, status=TOO_MANY, text="too many requests, wait a little")
            await self._send(path, refusal)
            return
        async with self._at_once:
            try:
                await self._answer(user.user_id, request, path)
            except BadRequestError as error:
                refusal = wire.pack_refusal(request.request_id, status=error.status, text=str(error))
                await self._send(path, refusal)
            except StoreUnavailableError:
                refusal = wire.pack_refusal(request.request_id, status=TEMPORARY, text="try again later")
                await self._send(path, refusal)
        self._log.info("request_answered", user=sender.user, device=sender.device, operation=request.operation[:16])

    def _spend(self, device: str) -> bool:
        """Take one request from the device's allowance; False when it has none left."""
        now = self._monotonic()
        allowance = self._allowances.pop(device, None) or _Allowance(self._rate * BURST_S, now)
        earned = (now - allowance.refilled) * self._rate
        allowance.tokens = min(self._rate * BURST_S, allowance.tokens + earned)
        allowance.refilled = now
        self._allowances[device] = allowance
        if len(self._allowances) > DEVICES_REMEMBERED:
            self._allowances.popitem(last=False)
        affordable = allowance.tokens >= 1
        if affordable:
            allowance.tokens -= 1
        return affordable

    async def _answer(self, user_id: int, request: wire.Request, path: ReturnPath) -> None:
        match request.operation, *request.arguments:
            case ("seen" | "unseen") as operation, *mail_ids:
                await self._store.set_seen(user_id, _mail_numbers(mail_ids), seen=operation == "seen")
                await self._send(path, wire.pack_reply(request.request_id))
            case ("recent", int(count), *rest) if type(count) is int and count > 0:  # True is a number to Python
                newest = await self._store.recent(user_id, min(count, RECENT_AT_MOST))
                await self._stream(path, request.request_id, wire.pack_recent(newest), rest)
            case "parts", str(mail_id), *_:
                answer = await self._body_of(user_id, mail_id, "parts", None)
                await self._stream(path, request.request_id, answer, [], whole=True)
            case ("text" | "raw") as operation, str(mail_id), *rest:
                answer = await self._body_of(user_id, mail_id, operation, None)
                await self._stream(path, request.request_id, answer, rest)
            case "part", str(mail_id), *rest:
                (index,) = _numbers(rest[:1], defaults=(0,))
                answer = await self._body_of(user_id, mail_id, "part", index)
                await self._stream(path, request.request_id, answer, rest[1:])
            case _:
                raise BadRequestError(BAD_REQUEST, "no such operation, or not with these arguments")

    async def _stream(
        self, path: ReturnPath, request_id: int, answer: bytes, window: Sequence[Any], *, whole: bool = False
    ) -> None:
        """Send the chunks from an offset on: up to its limit, the end, or as many as one request gets.

        `whole` is for what has no offset to be asked for by: the list of parts, which is bounded.
        """
        most = max(1, len(answer)) if whole else CHUNKS_PER_REQUEST * self._chunk
        offset, limit = _window(window, total=len(answer), most=most)
        end = min(len(answer), offset + limit)
        while True:
            chunk = answer[offset : min(end, offset + self._chunk)]
            await self._send(path, wire.pack_reply(request_id, offset=offset, total=len(answer), chunk=chunk))
            offset += len(chunk)
            if offset >= end:
                break

    async def _send(self, path: ReturnPath, payload: bytes) -> None:
        try:
            await self._reply(path, payload)
        except LinkDownError:
            self._log.info("reply_dropped", reason="broker lost")

    async def _body_of(self, user_id: int, mail_id: str, operation: str, index: int | None) -> bytes:
        """What an operation gives of a message, from a small cache, for it is asked for in pieces."""
        number = _mail_numbers([mail_id])[0]
        key = (user_id, number, operation, index)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        stored = await self._store.body(user_id, number)
        if stored is None:
            raise BadRequestError(NO_MESSAGE, "no such message")
        raw = await self._load(stored)
        if raw is None:
            raise BadRequestError(BODY_GONE, "the body is no longer kept")
        answer = await asyncio.to_thread(_view, raw, operation, index)
        self._cache[key] = answer
        while len(self._cache) > 1 and sum(map(len, self._cache.values())) > CACHE_BYTES:
            self._cache.popitem(last=False)
        return answer


def _mail_numbers(mail_ids: Sequence[Any]) -> list[int]:
    try:
        numbers = [ids.decode(mail_id) for mail_id in mail_ids]
    except (ValueError, TypeError) as error:
        raise BadRequestError(BAD_REQUEST, "not a message id") from error
    if not numbers:
        raise BadRequestError(BAD_REQUEST, "no message id")
    return numbers


def _window(arguments: Sequence[Any], *, total: int, most: int) -> tuple[int, int]:
    offset, limit = _numbers(arguments, defaults=(0, most))
    if not 0 <= offset <= total:
        raise BadRequestError(BAD_REQUEST, "the offset is not within the answer")
    if limit < 1:
        raise BadRequestError(BAD_REQUEST, "the limit is less than 1")
    return offset, min(limit, most)


def _numbers(arguments: Sequence[Any], *, defaults: tuple[int, ...]) -> tuple[int, ...]:
    """As many numbers as there are defaults: what was left out is its default, what is more is ignored."""
    given = tuple(arguments[: len(defaults)])
    if any(type(number) is not int for number in given):  # True is a number to Python
        raise BadRequestError(BAD_REQUEST, "index, offset and limit are numbers")
    return given + defaults[len(given) :]


def _view(raw: bytes, operation: str, index: int | None) -> bytes:
    """Pure: what an operation gives of a raw message; raises BadRequestError."""
    if operation == "raw":
        return raw
    if operation == "text":
        return mime.readable_text(raw).encode()
    parts = mime.parts(raw)
    if operation == "parts":
        return wire.pack_parts([(part.index, part.content_type, part.file_name, part.size) for part in parts])
    chosen = next((part for part in parts if part.index == index), None)
    if chosen is None:
        raise BadRequestError(NO_PART, "no such part")
    return mime.decoded(raw, chosen)

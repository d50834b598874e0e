"""Requests from devices: seen and unseen, bodies and parts on demand (docs/protocol.md, "Requests").

Every operation is idempotent, so a device that got no reply asks again. Replies go only to the
device that asked, in chunks, and are not retained: they are the one thing that does not pass
through the outbox.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import structlog

from bridge.contract import ids, plain, requests, topics
from bridge.contract.requests import Operation, Request, Status
from bridge.errors import BadRequestError, StoreUnavailableError
from bridge.requests.allowance import Allowances
from bridge.requests.answers import Answer
from bridge.requests.bodies import FetchedBodies
from bridge.requests.courtesy import Courtesy
from bridge.requests.replies import Replies, ReturnPath
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from bridge.contract.plain import PlainForm
    from bridge.directory import User
    from bridge.kept import StoredBody
    from bridge.requests.needs import Messages, PushSubscriptions

RECENT_AT_MOST = 500
MARKED_AT_ONCE = 500
EVERYTHING = ("all",)
AT_ONCE = 8
"""Requests that are answered at a time, and bodies that are read at a time, which may take minutes while mail comes."""
OF_ONE_USER = 4
"""Bodies that are read at a time by one user's devices, so that some of another's are."""
_READING = frozenset({Operation.TEXT, Operation.RAW, Operation.PARTS, Operation.PART})
_OPERATIONS = frozenset(operation.value for operation in Operation)


class Requests:
    """Answers requests.

    `named` gives the user of a name as they are now, or raises StoreUnavailableError; `pushing` knows where their
    devices are rung. `load` reads a stored body: None when it is gone, StoreUnavailableError when the disk does not
    give it. `reply` publishes a reply, or raises LinkDownError or PublishRefusedError. A reply has chunks of at most
    `chunk` bytes; `rate` are requests per second and device, `monotonic` gives seconds.
    """

    def __init__(
        self,
        *,
        store: Messages,
        pushing: PushSubscriptions,
        named: Callable[[str], Awaitable[User | None]],
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
        self._named = named
        self._bodies = FetchedBodies(store=store, load=load)
        self._root = root
        self._monotonic = monotonic
        self._tally = tally or Tally()
        courtesy = Courtesy(self._tally.accepted.total)
        self._replies = Replies(publish=reply, root=root, chunk=chunk, tally=self._tally, courtesy=courtesy)
        self._allowances = Allowances(rate)
        self._at_once, self._reading_at_once = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        self._readers: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._log = structlog.get_logger()

    async def handle(
        self, topic: str, payload: bytes, *, response_topic: str = "", correlation: bytes | None = None
    ) -> None:
        """Answer one request; whatever is wrong with it becomes a reply or is dropped.

        A payload that is no request costs as much as one, and is answered under the id 0.
        """
        sender = topics.parse_request(self._root, topic)
        user = None if sender is None else await self._whose(sender)
        if sender is None or user is None:
            return
        form = plain.form_of(payload)
        path = ReturnPath(self._replies.topic(sender, response_topic), correlation, form)
        affordable = self._allowances.spend(f"{sender.user}/{sender.device}", now=self._monotonic())
        try:
            request = requests.parse_request(payload) if form is None else plain.parse_request(payload, form)
        except BadRequestError as error:
            self._count("", error.status)
            if affordable:
                self._log.info("request_refused", user=sender.user, device=sender.device, reason=str(error))
                await self._replies.decline(path, 0, error.status, str(error))
            return
        if not affordable:
            self._count(request.operation, Status.TOO_MANY)
            await self._replies.decline(path, request.request_id, Status.TOO_MANY, "too many requests, wait a little")
            return
        async with self._turn(request.operation, user.user_id):
            self._count(request.operation, await self._serve(user.user_id, sender.device, request, path))
        self._log.info("request_answered", user=sender.user, device=sender.device, operation=request.operation[:16])

    def use(self, *, chunk: int, rate: float) -> None:
        """Answer with these settings from the next request on."""
        self._replies.chunk = chunk
        self._allowances.rate = rate

    @asynccontextmanager
    async def _turn(self, operation: str, user_id: int) -> AsyncIterator[None]:
        """Wait until so few are answered that this one may be, too."""
        if operation not in _READING:
            async with self._at_once:
                yield
            return
        of_user = self._readers.setdefault(user_id, asyncio.Semaphore(OF_ONE_USER))
        async with of_user, self._reading_at_once:
            yield

    async def _whose(self, sender: topics.RequestTopic) -> User | None:
        """The user who asks; nobody while it cannot be found out, and then the device asks again."""
        try:
            return await self._named(sender.user)
        except StoreUnavailableError as error:
            self._log.warning("request_not_answered", user=sender.user, device=sender.device, reason=str(error))
            return None

    async def _serve(self, user_id: int, device: str, request: Request, path: ReturnPath) -> int:
        """Do what is asked and send the answer, or why there is none; how it went."""
        try:
            if path.form is None:
                await self._replies.stream(path, request.request_id, await self._answer(user_id, device, request))
            else:
                await self._replies.send(path, await self._plainly(user_id, device, request, path.form))
        except BadRequestError as error:
            await self._replies.decline(path, request.request_id, error.status, str(error))
            return error.status
        except StoreUnavailableError:
            await self._replies.decline(path, request.request_id, Status.TEMPORARY, "try again later")
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
                return Answer(requests.pack_recent(await self._recent(user_id, arguments)), arguments[1:])
            case Operation.PARTS:
                mail_id, _ = _mail_id(arguments)
                return Answer(await self._bodies.read(user_id, mail_id, Operation.PARTS), whole=True)
            case Operation.TEXT | Operation.RAW as operation:
                mail_id, rest = _mail_id(arguments)
                return Answer(await self._bodies.read(user_id, mail_id, Operation(operation)), rest)
            case Operation.PART:
                mail_id, rest = _mail_id(arguments)
                (index,) = requests.numbers_or((0,), rest[:1])
                return Answer(await self._bodies.read(user_id, mail_id, Operation.PART, index), rest[1:])
            case Operation.PUSH:
                return await self._push(user_id, device, arguments)
            case _:
                raise _unanswerable()

    async def _plainly(self, user_id: int, device: str, request: Request, form: PlainForm) -> bytes:
        """The reply to a request in words or JSON; raises BadRequestError or StoreUnavailableError."""
        if request.operation == Operation.RECENT:
            newest = await self._recent(user_id, request.arguments)
            return plain.recent(form, request.request_id, newest, limit_bytes=self._replies.chunk)
        await self._answer(user_id, device, request)
        return plain.done(form, request.request_id)

    # --- one operation each -----------------------------------------------------------------------

    async def _mark(self, user_id: int, arguments: Sequence[Any], *, seen: bool, by: str) -> Answer:
        """Somebody saw these messages, or wants them as if nobody had; ids that nobody knows are no error."""
        if seen and tuple(arguments) == EVERYTHING:
            await self._mark_all(user_id, by=by)
        else:
            await self._store.set_seen(user_id, requests.mail_numbers(arguments), seen=seen, by=by)
        return Answer()

    async def _mark_all(self, user_id: int, *, by: str) -> None:
        """All that nobody has seen is seen, the newest first, some at a time, since it may be much."""
        below = ids.END
        while numbers := await self._store.unseen(user_id, below=below, limit=MARKED_AT_ONCE):
            await self._store.set_seen(user_id, numbers, seen=True, by=by)
            below = numbers[-1]

    async def _recent(self, user_id: int, arguments: Sequence[Any]) -> list[tuple[int, bytes]]:
        """The newest headers, as many as were asked for."""
        count = arguments[0] if arguments else None
        if type(count) is not int or count < 1:  # True is a number to Python
            raise _unanswerable()
        return await self._store.recent(user_id, min(count, RECENT_AT_MOST))

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


def _unanswerable() -> BadRequestError:
    return BadRequestError(Status.BAD_REQUEST, "no such operation, or not with these arguments")


def _mail_id(arguments: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The id that an operation begins with, and the arguments behind it."""
    if not arguments or not isinstance(arguments[0], str):
        raise _unanswerable()
    return arguments[0], arguments[1:]

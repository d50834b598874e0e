"""Devices that sleep are rung: what waits goes to their push services, is tried again, or is let go.

At least once on the wire: a row leaves when the push service has taken the message, so a process that dies in between
sends it again, under the same topic. Each device has one message under way, each push service a few, all together some;
so who is slow or hostile takes up its own places and nobody else's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from bridge.errors import StoreUnavailableError
from bridge.kept import PushResult, Tried
from bridge.push import judging, saying
from bridge.push.judging import Meaning
from bridge.push.letter import UndeliveredError
from bridge.push.needs import Wakefulness
from bridge.push.saying import Disclosure
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.kept import PushWaiting
    from bridge.push.judging import ServiceAnswer
    from bridge.push.needs import PushCarrier, PushRows, Watching, Writing

AT_ONCE: Final = 32
AT_ONE_HOST: Final = 4
PAUSE_S: Final = 0.05
"""Between two looks at least: a burst of mail does not mean a burst of looks."""
LOOK_S: Final = 1.0
"""How often it looks while something waits for its time."""
UNSURE_S: Final = 0.2
"""And while it is not known whether a device is awake."""
_Device = tuple[int, str]


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How it is done: whether at all, how much is told, for how long it is tried, and the page that a tap opens."""

    enabled: bool = True
    content: Disclosure = Disclosure.FULL
    ttl_s: int = 86_400
    web: str = ""


class PushDelivery:
    """Rings until cancelled. `now_s` is Unix time; `options` may be replaced at any time."""

    def __init__(
        self,
        *,
        rows: PushRows,
        carrier: PushCarrier,
        writing: Writing,
        watching: Watching,
        options: PushOptions,
        now_s: Callable[[], float],
        jitter: Callable[[], float],
        tally: Tally | None = None,
    ) -> None:
        self._rows = rows
        self._carrier = carrier
        self._writing = writing
        self._watching = watching
        self.options = options
        self._now_s = now_s
        self._jitter = jitter
        self._tally = tally or Tally()
        self._wake = asyncio.Event()
        self._some = True
        """Whether anything waited when that was last looked at."""
        self._flying: dict[_Device, str] = {}
        """The host of each push service, by the device that a message is under way to."""
        self._tried: list[Tried] = []
        self._log = structlog.get_logger()

    def wake(self, *, rung: bool = True) -> None:
        """Something was committed: there may be somebody to ring. Unless it `rung`, only if somebody was waiting."""
        if rung or self._some:
            self._wake.set()

    async def run(self) -> None:
        """Ring until cancelled; what is under way then is tried again by whoever rings next."""
        self._wake.set()
        self._flying.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._until_woken(await self._turn(tasks))
        finally:
            with suppress(StoreUnavailableError):
                await self._record()

    async def _until_woken(self, most_s: float | None) -> None:
        await asyncio.sleep(PAUSE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._wake.wait()

    async def _turn(self, tasks: asyncio.TaskGroup) -> float | None:
        """Do what can be done now; in how many seconds to look again, None when nothing waits."""
        self._wake.clear()
        try:
            await self._record()
            self._some = await self._rows.any_waiting()
            if not self._some:
                return None
            if not self.options.enabled:
                self._tally.pushes[PushResult.OFF] += await self._rows.sweep_all()
                return None
            found = await self._find()
        except StoreUnavailableError as error:
            self._log.warning("push_waits_for_store", reason=str(error))
            return LOOK_S
        attendances = await self._watching.attendance(found)
        for waiting, attendance in zip(found, attendances, strict=True):
            if attendance is Wakefulness.AWAKE:
                self._done(waiting, PushResult.AWAKE)
            elif attendance is Wakefulness.ASLEEP:
                self._begin(waiting, tasks)
        return UNSURE_S if Wakefulness.UNSURE in attendances else LOOK_S

    async def _find(self) -> list[PushWaiting]:
        """Who can be rung now; of whom nothing is left to tell is let go of."""
        counts = Counter(self._flying.values())
        full = [host for host, count in counts.items() if count >= AT_ONE_HOST]
        room = AT_ONCE - len(self._flying)
        if room <= 0:
            return []
        taken = await self._rows.take(limit=AT_ONCE + len(self._flying), without=full, ttl_s=self.options.ttl_s)
        found: list[PushWaiting] = []
        for waiting in taken:
            host = waiting.subscription.host
            if (waiting.user_id, waiting.device) in self._flying:
                continue
            if waiting.gone:
                self._tally.pushes.update(await self._rows.sweep(waiting, ttl_s=self.options.ttl_s))
                self._wake.set()
            elif counts[host] >= AT_ONE_HOST:
                self._wake.set()  # it is full now, and those behind it come to their turn at once
            elif len(found) < room:
                counts[host] += 1
                found.append(waiting)
        return found

    async def _record(self) -> None:
        done, self._tried = self._tried, []
        if not done:
            return
        try:
            await self._rows.record(done)
        except StoreUnavailableError:
            self._tried = done + self._tried
            raise
        for tried in done:
            self._flying.pop((tried.waiting.user_id, tried.waiting.device), None)

    def _begin(self, waiting: PushWaiting, tasks: asyncio.TaskGroup) -> None:
        self._flying[waiting.user_id, waiting.device] = waiting.subscription.host
        tasks.create_task(self._tell(waiting), name="push")

    def _done(self, waiting: PushWaiting, result: PushResult, *, trouble: str = "", skew_s: int | None = None) -> None:
        self._flying.setdefault((waiting.user_id, waiting.device), waiting.subscription.host)
        self._tally.pushes[result] += 1
        self._tried.append(Tried(waiting=waiting, result=result, trouble=trouble, skew_s=skew_s))
        self._wake.set()

    # --- one message to one device ----------------------------------------------------------------

    async def _tell(self, waiting: PushWaiting) -> None:
        try:
            await self._attempt(waiting)
        except Exception:  # noqa: BLE001 - a defect here keeps one device from ringing, and no mail from being taken
            self._log.exception("push_defect", id=waiting.mail_id, user=waiting.user, device=waiting.device)
            self._again(waiting, None, "a defect: see the log")

    async def _attempt(self, waiting: PushWaiting) -> None:
        """Send it, and if it was too long once more with less in it."""
        answer: ServiceAnswer | None = None
        try:
            answer = await self._send(waiting, short=False)
            if judging.meaning(answer) is Meaning.SHORTER:
                answer = await self._send(waiting, short=True)
        except UndeliveredError as error:
            self._again(waiting, None, str(error))
            return
        except StoreUnavailableError as error:
            self._again(waiting, None, str(error))
            return
        except ValueError:  # a key that was good when it came; nothing can be sealed for it
            self._forget(waiting, "its key is none")
            return
        self._take(waiting, answer)

    async def _send(self, waiting: PushWaiting, *, short: bool) -> ServiceAnswer:
        options = self.options
        text = saying.notification(waiting, content=options.content, web=options.web, short=short)
        age_s = max(0.0, self._now_s() - waiting.created_ms / 1000)
        letter = await self._writing.letter(waiting, text, ttl_s=max(0, int(options.ttl_s - age_s)))
        return await self._carrier.post(letter)

    def _take(self, waiting: PushWaiting, answer: ServiceAnswer) -> None:
        """Do what an answer means."""
        skew_s = judging.skew_s(answer, now_s=self._now_s())
        user, device, host = waiting.user, waiting.device, waiting.subscription.host
        match judging.meaning(answer):
            case Meaning.DONE:
                self._log.info(
                    "push_sent", id=waiting.mail_id, user=user, device=device, host=host, status=answer.status
                )
                self._done(waiting, PushResult.SENT, skew_s=skew_s)
            case Meaning.GONE:
                self._forget(waiting, judging.trouble(answer))
            case Meaning.SHORTER:
                self._log.warning(
                    "push_refused", id=waiting.mail_id, user=user, device=device, host=host, status=answer.status
                )
                self._done(waiting, PushResult.REFUSED, skew_s=skew_s)
            case Meaning.AGAIN:
                self._again(waiting, answer, judging.trouble(answer))

    def _forget(self, waiting: PushWaiting, trouble: str) -> None:
        self._log.warning(
            "push_forgotten", user=waiting.user, device=waiting.device, host=waiting.subscription.host, reason=trouble
        )
        self._done(waiting, PushResult.FORGOTTEN, trouble=trouble)

    def _again(self, waiting: PushWaiting, answer: ServiceAnswer | None, trouble: str) -> None:
        now_s = self._now_s()
        wait_s = judging.wait_s(answer, failures=waiting.failures, jitter=self._jitter(), now_s=now_s)
        skew_s = None if answer is None else judging.skew_s(answer, now_s=now_s)
        self._tally.pushes["again"] += 1
        self._log.warning(
            "push_delayed",
            id=waiting.mail_id,
            user=waiting.user,
            device=waiting.device,
            host=waiting.subscription.host,
            reason=trouble,
            wait_s=round(wait_s, 1),
        )
        self._tried.append(
            Tried(waiting=waiting, retry_ms=int((now_s + wait_s) * 1000), trouble=trouble, skew_s=skew_s)
        )
        self._wake.set()

"""The run: all mails at once, then one after another, then at half the rate; each step counted."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from bridge.bench import processor
from bridge.bench.figures import Benchmark, Counted, Latency, Throughput
from bridge.bench.receiving import receiver
from bridge.bench.scratch import ADDRESS
from bridge.bench.sending import flood, letters, pace, senders
from bridge.daemon import runfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from bridge.bench.receiving import Receiver
    from bridge.bench.scratch import Scratch
    from bridge.bench.sending import Sender, Sent


class Steps(Protocol):
    """Who is told how far it is."""

    def begin(self, what: str, total: int) -> Callable[[], None]:
        """A step of so many parts begins; what is returned is called after each of them."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is handed in."""

    mails: int = 2000
    octets: int = 4096
    connections: int = 10
    single: int = 100
    """Mails that are handed in one after another."""

    @property
    def most(self) -> int:
        """How many that is at most, in all three steps."""
        return 2 * self.mails + self.single


def measure(place: Scratch, load: Load, steps: Steps) -> Benchmark:
    """Everything, as one report.

    Raises MiscountError when the mails do not add up, NotTakenError, NotConnectedError and store errors.
    """
    return asyncio.run(_measure(place, load, steps))


async def _measure(place: Scratch, load: Load, steps: Steps) -> Benchmark:
    written = letters(load.most, load.octets, to=ADDRESS, run=secrets.token_hex(6))
    async with receiver(place.address(runfile.BROKER, "mqtt"), place.topics, place.login) as device:
        run = _Run(place, load, steps, device, written)
        many, throughput = await run.at_once()
        lonely = await run.alone()
        paced = await run.paced(throughput.on_device_a_second / 2)
        sent = [*many, *lonely, *paced]
        await device.wait_for([each.mail_id for each in sent])
        waiting, kept, acknowledged = await asyncio.to_thread(_looked, place)
    counted = Counted(
        offered=load.most,
        accepted=len({each.mail_id for each in sent}),
        kept=kept,
        acknowledged=acknowledged,
        received=len(device.first_at),
        twice=device.twice,
        waiting=waiting,
    )
    counted.agree()
    took_s = paced[-1].answered_at - paced[0].answered_at
    return Benchmark(
        directory=str(place.settings.state_dir.parent.parent),
        throughput=throughput,
        idle=Latency.of(times(lonely, device), mails_a_second=0),
        half_load=Latency.of(times(paced, device), mails_a_second=(len(paced) - 1) / took_s),
        counted=counted,
    )


def _looked(place: Scratch) -> tuple[int, int, int]:
    return place.waiting(), place.kept(), place.acknowledged()


@dataclass(frozen=True, slots=True)
class _Run:
    """The steps of one run; each takes its mails from those that were written."""

    place: Scratch
    load: Load
    steps: Steps
    device: Receiver
    written: Iterator[bytes]

    async def at_once(self) -> tuple[list[Sent], Throughput]:
        """As fast as they are taken."""
        mails = self.load.mails
        broker = processor.family(self.place.facts(runfile.BROKER)["pid"])
        bridge = processor.family(self.place.process.pid) - broker
        told = self.steps.begin("as fast as they are taken", mails)
        async with self._senders(self.load.connections) as lines:
            used = processor.used_s(bridge), processor.used_s(broker)
            begun = time.perf_counter()
            sent = await flood(lines, islice(self.written, mails), ADDRESS, told)
            await self.device.wait_for([each.mail_id for each in sent])
            ended = max(self.device.first_at.values(), default=time.perf_counter())
            costs = [
                None if old is None or new is None else round(1000 * (new - old) / mails, 3)
                for old, new in zip(used, (processor.used_s(bridge), processor.used_s(broker)), strict=True)
            ]
        return sent, Throughput(
            mails=mails,
            octets=self.load.octets,
            connections=self.load.connections,
            accepted_a_second=round(mails / (sent[-1].answered_at - begun), 1),
            on_device_a_second=round(mails / (ended - begun), 1),
            bridge_ms=costs[0],
            broker_ms=costs[1],
        )

    async def alone(self) -> list[Sent]:
        """One after another: each is on the device before the next is handed in."""
        told = self.steps.begin("one after another", self.load.single)
        sent: list[Sent] = []
        async with self._senders(1) as lines:
            for letter in islice(self.written, self.load.single):
                sent.append(await lines[0].deliver(letter, ADDRESS))
                await self.device.wait_for([sent[-1].mail_id])
                told()
        return sent

    async def paced(self, mails_a_second: float) -> list[Sent]:
        """At a steady rate."""
        told = self.steps.begin("at half the rate", self.load.mails)
        async with self._senders(self.load.connections) as lines:
            return await pace(
                lines, islice(self.written, self.load.mails), ADDRESS, told, mails_a_second=mails_a_second
            )

    def _senders(self, count: int) -> AbstractAsyncContextManager[list[Sender]]:
        return senders(self.place.address(runfile.BRIDGE, "smtp"), count)


def times(sent: list[Sent], device: Receiver) -> list[tuple[float, float, float]]:
    """When each mail was sent, answered and received; all of them were."""
    return [(each.sent_at, each.answered_at, device.first_at[each.mail_id]) for each in sent]

"""`postbell bench`: what this installation can do, measured beside it and never on its mail."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.progress import Progress

    from bridge.bench.figures import Benchmark, Latency
    from bridge.bench.measuring import Steps


def bench(
    context: typer.Context,
    config: options.Config = None,
    mails: Annotated[int, typer.Option(metavar="N", min=10, max=49_000, help="How many mails a step.")] = 2000,
    octets: Annotated[
        int, typer.Option("--size", metavar="BYTES", min=256, max=50 * 2**20, help="How large each is.")
    ] = 4096,
    connections: Annotated[
        int, typer.Option(metavar="N", min=1, max=400, help="Over how many connections at once.")
    ] = 10,
    as_json: options.AsJson = False,
) -> None:
    """Measure what this installation can do: mails a second, latency, processor time a mail.

    A Postbell of its own, configured like this one, runs meanwhile in a scratch directory below state_dir, so on the
    same disk, with its own broker and on ports of its own; users, mail and broker of the installation are not touched.
    Sender and device are on this machine too, and take their share of it.
    """
    from bridge.bench import measuring, scratch  # noqa: PLC0415 - asyncio, paho, the store
    from bridge.cli import opening, ownership, processes  # noqa: PLC0415 - the same

    file = opening.file_of(context, config)
    file = file.resolve() if file else None
    state_dir = options.settings(context, config).state_dir
    os.environ.update(ownership.become(state_dir))
    command = processes.command("bridge", *(["--config", str(file)] if file else []), "serve")
    load = measuring.Load(mails=mails, octets=octets, connections=connections, single=min(100, mails))
    with (
        progress() as steps,
        scratch.scratch(command, file, within=_within(state_dir), mails=load.most) as place,
    ):
        report = measuring.measure(place, load, steps)
    if as_json:
        output.print_json(report.as_json())
    else:
        typer.echo("\n".join(lines(report)))


def _within(state_dir: Path) -> Path | None:
    """Where the scratch is made: on the disk of the state if this user may write there, else where the system says."""
    return state_dir if os.access(state_dir, os.W_OK | os.X_OK) else None


@contextmanager
def progress() -> Iterator[Steps]:
    """StepBars on standard error, where that is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - only this command draws bars
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield StepBars(bars)


class StepBars:
    """Steps as bars: each is added when it begins, and advanced by one part at a time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, what: str, total: int) -> Callable[[], None]:
        """Add a bar; what moves it on by one part."""
        bar = self._progress.add_task(what, total=total)
        return lambda: self._progress.advance(bar)


def lines(report: Benchmark) -> list[str]:
    """The report for people."""
    rate, unknown = report.throughput, "not known here"
    bridge, broker = (unknown if ms is None else f"{ms:.2f} ms" for ms in (rate.bridge_ms, rate.broker_ms))
    counted = f"all {report.counted.received} of three steps arrived, each once"
    return [
        f"{rate.mails} mails of {rate.octets} bytes, {rate.connections} connections, in {report.directory}; {counted}",
        f"kept, 250            {rate.accepted_a_second:8.0f} mails/s",
        f"on the device        {rate.on_device_a_second:8.0f} mails/s",
        f"processor a mail     bridge {bridge}, broker {broker}",
        "",
        f"{'':24}{'one after another':>26}{f'at {report.half_load.mails_a_second:.0f} mails/s':>26}",
        *_latencies(report.idle, report.half_load),
    ]


def _latencies(*columns: Latency) -> Iterator[str]:
    """A line for each part of the way, with p50 and p99 of each column."""
    parts = {
        "end of data → 250": [each.to_250 for each in columns],
        "250 → device": [each.to_device for each in columns],
        "end of data → device": [each.whole for each in columns],
    }
    for name, spreads in parts.items():
        yield f"{name:24}" + "".join(f"{f'p50 {of.p50_ms:.1f}, p99 {of.p99_ms:.1f} ms':>26}" for of in spreads)

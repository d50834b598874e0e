"""`postbell status --watch`: the status again and again, with what moved in between."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from bridge.cli import opening, output
from bridge.daemon import control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bridge.config.settings import Settings

LOOK_S = 2.0
ASK_S = 2.0
"""So long may a bridge take to say what moves."""
REMEMBERED = 31
"""Looks: rates are those of the last minute."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment: `status` as it is told, and what moves, None where no bridge told it."""

    at: float
    status: dict[str, Any]
    figures: dict[str, Any] | None


def watch(
    look: Callable[[], dict[str, Any]],
    *,
    figures: Callable[[], dict[str, Any] | None],
    describe: Callable[[dict[str, Any]], list[str]],
    as_json: bool,
) -> dict[str, Any]:
    """Show the status until Ctrl-C: renewed in place on a terminal, else a line each time. The last status."""
    looks: deque[Look] = deque(maxlen=REMEMBERED)
    console = Console()
    seen = _looks(look, figures, looks)
    try:
        if as_json or not console.is_terminal:
            _tell(seen, looks, as_json=as_json)
        else:
            with Live(console=console, auto_refresh=False) as live:
                for now in seen:
                    live.update(Text("\n".join([*describe(now.status), *lines(now, looks[0])])), refresh=True)
    except KeyboardInterrupt:
        if not looks:
            raise
    return looks[-1].status


def _looks(
    look: Callable[[], dict[str, Any]], figures: Callable[[], dict[str, Any] | None], looks: deque[Look]
) -> Iterator[Look]:
    while True:
        status = look()
        looks.append(Look(time.monotonic(), status, figures() if status["running"] else None))
        yield looks[-1]
        time.sleep(LOOK_S)


def _tell(seen: Iterable[Look], looks: deque[Look], *, as_json: bool) -> None:
    for now in seen:
        if as_json:
            output.print_json(now.status | {"figures": now.figures})
        else:
            typer.echo(f"{time.strftime('%H:%M:%S')} {line(now, looks[-2] if len(looks) > 1 else now)}")


def figures(settings: Settings) -> dict[str, Any] | None:
    """What moves, as a running bridge tells it; None when it does not."""
    with opening.acting(settings), suppress(control.ControlError):
        return control.ask(settings.run_dir, {"do": "figures"}, deadline_s=ASK_S)
    return None


def lines(now: Look, then: Look) -> list[str]:
    """What moves, for people who look at it, with its rate since then."""
    if now.figures is None:
        return []
    told = [
        ("taken", f"{_often(now, then, 'accepted')}, {_count(now, 'copies')} of them known copies"),
        ("refused", _often(now, then, "refused")),
        ("senders", f"{_count(now, 'senders')} connected"),
        ("published", _often(now, then, "published")),
        ("to the broker", _latency(now, then)),
        ("repaired", f"{_count(now, 'repaired')} topics"),
        ("requests", _often(now, then, "requests")),
    ]
    if now.figures["devices"] is not None:
        told.append(("devices", f"{_count(now, 'devices')} online"))
    return [f"{name:16}  {text}" for name, text in told]


def line(now: Look, then: Look) -> str:
    """How it is, and what moved since, in one line."""
    status = now.status
    parts = [_health(status)]
    if now.figures is not None:
        parts += [f"{name} {_count(now, key)}{_more(now, then, key)}" for name, key in _IN_A_LINE]
        if now.figures["devices"] is not None:
            parts.append(f"devices {_count(now, 'devices')}")
    if status["outbox"] is not None:
        parts.append(f"outbox {status['outbox']:,}")
    return ", ".join(parts)


_IN_A_LINE = (("taken", "accepted"), ("refused", "refused"), ("published", "published"), ("requests", "requests"))


def _health(status: dict[str, Any]) -> str:
    if not status["known"]:
        return "cannot be known"
    if status["store"] != "ok":
        return "the store is not ok"
    return f"down: {' '.join(status['down'])}" if status["down"] else "ok"


def _count(now: Look, key: str) -> str:
    assert now.figures is not None
    return f"{now.figures[key]:,}"


def _risen(now: Look, then: Look, *keys: str) -> Sequence[float]:
    """By how much counts rose; all that there is where the bridge was started anew in between."""
    assert now.figures is not None
    before = then.figures or dict.fromkeys(now.figures, 0)
    if any(now.figures[key] < before[key] for key in keys):
        before = dict.fromkeys(now.figures, 0)
    return [now.figures[key] - before[key] for key in keys]


def _more(now: Look, then: Look, key: str) -> str:
    [more] = _risen(now, then, key)
    return f" (+{more:,})" if more and then is not now else ""


def _often(now: Look, then: Look, key: str) -> str:
    [more] = _risen(now, then, key)
    rate = f", {more * 60 / (now.at - then.at):,.0f} a minute" if more and now.at > then.at else ""
    return f"{_count(now, key)}{rate}"


def _latency(now: Look, then: Look) -> str:
    """How long a mail took on average in the last minute; if there was none then, since the start."""
    assert now.figures is not None
    many, took_s = _risen(now, then, "timed", "timed_s")
    when = "in the last minute"
    if not many:
        many, took_s, when = now.figures["timed"], now.figures["timed_s"], "since the start"
    return f"{took_s / many * 1000:,.0f} ms for a mail {when}" if many else "no mail yet"

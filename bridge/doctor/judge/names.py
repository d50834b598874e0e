"""What devices are told of where we are: whether the name has an address, and the port an ear. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class NameSeen:
    """A public URL. `error` says why its host has no address; `here` that one of its addresses is this machine's.

    `answers` says whether a connection to its port was taken.
    """

    key: str
    url: str
    host: str
    port: int
    error: str = ""
    here: bool = True
    answers: bool = True


def judge(names: Sequence[NameSeen]) -> list[Finding]:
    """All findings of the hop `name`."""
    if not names:
        return [
            unknown(
                check, "neither broker.public_url nor http.public_url is set: devices are told the listener's address"
            )
            for check in (Check.NAME_RESOLVES, Check.NAME_PORT)
        ]
    return [*_each(names, _resolves, Check.NAME_RESOLVES), *_each(names, _port, Check.NAME_PORT)]


def _each(names: Sequence[NameSeen], trouble: Callable[[NameSeen], Finding | None], check: Check) -> Iterator[Finding]:
    found = [finding for name in names if (finding := trouble(name)) is not None]
    yield from found or [fine(check)]


def _resolves(name: NameSeen) -> Finding | None:
    if not name.error:
        return None
    return broken(
        Check.NAME_RESOLVES,
        f"{name.key} = '{name.url}': {name.host} has no address here ({name.error})",
        f"have the name server know {name.host}, or set {name.key} to a name that it knows",
    )


def _port(name: NameSeen) -> Finding | None:
    """From inside nobody can tell what a router lets through; what is on this machine can be told."""
    if name.error:
        return unknown(Check.NAME_PORT, f"{name.key}: {name.host} has no address here")
    if name.answers:
        return None
    if not name.here:
        return unknown(
            Check.NAME_PORT,
            f"{name.key} = '{name.url}': nobody answers at port {name.port} from here; outside it may be otherwise",
            "try it from where the devices are",
        )
    return broken(
        Check.NAME_PORT,
        f"{name.key} = '{name.url}': that is this machine, and nobody answers at port {name.port}",
        f"set {name.key} to the port of a listener, or have one listen there, at the address of {name.host}",
    )

"""Whether bridge and broker run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

CURE = "systemctl start postbell; if it ends again, this says why: journalctl -u postbell -n 50"


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """Who runs with the state directory; None when this process may not look. `embedded`: the broker is ours.

    Where none was ever run with it, `elsewhere` are the nodes that share its store.
    """

    bridge: bool | None
    broker: bool | None
    embedded: bool
    elsewhere: tuple[str, ...] = ()


def judge(service: ServiceSeen) -> list[Finding]:
    """All findings of the hop `service`."""
    return [
        unknown(Check.BRIDGE, f"none was ever run here; elsewhere there are {', '.join(service.elsewhere)}")
        if service.elsewhere
        else _runs(
            Check.BRIDGE, service.bridge, "no bridge runs with this state directory: mail stays with the mail server"
        ),
        _runs(Check.BROKER, service.broker, "the embedded broker does not run: devices are told of nothing")
        if service.embedded
        else unknown(Check.BROKER, "broker.embedded = false: another broker is used"),
    ]


def _runs(check: Check, runs: bool | None, problem: str) -> Finding:  # noqa: FBT001 - the one thing it is about
    if runs is None:
        return unknown(check, "this user cannot look into the run directory")
    return fine(check) if runs else broken(check, problem, CURE)

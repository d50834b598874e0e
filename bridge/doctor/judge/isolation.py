"""Whether a user's devices can get at another's mail, judged by what two throw-away accounts tried. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

OF_ISOLATION = (Check.STRANGERS, Check.READ, Check.WRITE, Check.SESSION)
RULES = "give the broker the rules of docs/operations.md, section External brokers: one login a device, and its rights"


@dataclass(frozen=True, slots=True)
class IsolationSeen:
    """What they met; None where it was not tried, and `reason` says why.

    `anonymous` is who was let in without a right password: nobody, if empty. `leaked` is a topic of another's that
    came to a device, or empty; `wrote` a topic of another's to which a device could publish, or empty; `robbed`
    says whether a device lost its connection to another's that used its client id.
    """

    reason: str = ""
    anonymous: str | None = None
    leaked: str | None = None
    wrote: str | None = None
    robbed: bool | None = None


def judge(isolation: IsolationSeen) -> list[Finding]:
    """All findings of the hop `isolation`."""
    return [_strangers(isolation), _read(isolation), _write(isolation), _session(isolation)]


def _strangers(isolation: IsolationSeen) -> Finding:
    if isolation.anonymous is None:
        return unknown(Check.STRANGERS, isolation.reason)
    if not isolation.anonymous:
        return fine(Check.STRANGERS)
    return broken(
        Check.STRANGERS,
        f"the broker lets in {isolation.anonymous}",
        "allow_anonymous false and a password_file in mosquitto.conf, or the like",
    )


def _read(isolation: IsolationSeen) -> Finding:
    if isolation.leaked is None:
        return unknown(Check.READ, isolation.reason)
    if not isolation.leaked:
        return fine(Check.READ)
    return broken(Check.READ, f"a device was given another user's {isolation.leaked}", RULES)


def _write(isolation: IsolationSeen) -> Finding:
    if isolation.wrote is None:
        return unknown(Check.WRITE, isolation.reason)
    if not isolation.wrote:
        return fine(Check.WRITE)
    return broken(Check.WRITE, f"a device could publish to another user's {isolation.wrote}", RULES)


def _session(isolation: IsolationSeen) -> Finding:
    if isolation.robbed is None:
        return unknown(Check.SESSION, isolation.reason)
    if not isolation.robbed:
        return fine(Check.SESSION)
    return broken(
        Check.SESSION,
        "a device that used the client id of another user's took its session, with what waits in it",
        "use_username_as_clientid true in mosquitto.conf, or the like",
    )

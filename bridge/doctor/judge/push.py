"""Devices that are rung by push: whether it can get to their push services, and how it went last. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown
from bridge.kept import PushState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.kept import PushStanding

SLACK_S: Final = 600
APPLE: Final = ".push.apple.com"
CHECKS: Final = tuple(check for check in Check if check.hop == "push")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class PushServiceSeen:
    """A push service by host and port. `error` says why its host has no address, `forbidden` which is not allowed.

    `refused` says why there is no TLS with it that can be trusted, "" when there is.
    """

    host: str
    port: int
    error: str = ""
    forbidden: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class PushSeen:
    """All of it: the devices that are rung by their logins, their services, and what else a ring needs.

    `key` is whether there is one that can be used, None before the first device asked for it.
    """

    enabled: bool
    subject: str
    key: bool | None
    devices: tuple[tuple[str, PushStanding], ...]
    services: tuple[PushServiceSeen, ...]


def judge(seen: PushSeen) -> list[Finding]:
    """All findings of the hop `push`."""
    rung = [each for each in seen.devices if each[1].state is not PushState.FORGOTTEN]
    if not seen.enabled:
        return [unknown(check, "push is switched off (push.enabled)") for check in CHECKS]
    if not seen.devices:
        return [unknown(check, "no device has asked to be rung by push") for check in CHECKS]
    return [
        _key(seen),
        _subject(seen) if rung else unknown(Check.PUSH_SUBJECT, "no device is rung by push now"),
        *_each(seen.services, _resolves, Check.PUSH_RESOLVES),
        *_each(seen.services, _allowed, Check.PUSH_ALLOWED),
        *_each(seen.services, _reached, Check.PUSH_REACHED),
        *_taken(seen.devices),
        _clock(rung),
    ]


def _key(seen: PushSeen) -> Finding:
    if seen.key:
        return fine(Check.PUSH_KEY)
    wrong = "the key is damaged" if seen.key is False else "the key is not there"
    return broken(
        Check.PUSH_KEY,
        f"{wrong}, which devices have subscribed with",
        "restore a backup, or make another with `postbell push renew`: devices subscribe again when they are opened",
    )


def _subject(seen: PushSeen) -> Finding:
    if seen.subject:
        return fine(Check.PUSH_SUBJECT)
    cure = 'write push.subject = "mailto:you@example.org"'
    if any(service.host.endswith(APPLE) for service in seen.services):
        return broken(Check.PUSH_SUBJECT, "push.subject is empty, and Apple's push service takes nothing without", cure)
    return unknown(Check.PUSH_SUBJECT, "push.subject is empty: not every push service takes that", cure)


def _each(
    services: Sequence[PushServiceSeen], trouble: Callable[[PushServiceSeen], Finding | None], check: Check
) -> Iterator[Finding]:
    found = [finding for service in services if (finding := trouble(service)) is not None]
    if found:
        yield from found
    else:
        yield fine(check) if services else unknown(check, "no device is rung by push now")


def _resolves(service: PushServiceSeen) -> Finding | None:
    if not service.error:
        return None
    return broken(
        Check.PUSH_RESOLVES,
        f"the push service {service.host} has no address here ({service.error})",
        "have the name server of this machine know the world's names",
    )


def _allowed(service: PushServiceSeen) -> Finding | None:
    if not service.forbidden:
        return None
    return broken(
        Check.PUSH_ALLOWED,
        f"the push service {service.host} is {service.forbidden}, and that is no public address",
        f'if it is meant, write push.allow = ["{service.host}"]; else revoke the device',
    )


def _reached(service: PushServiceSeen) -> Finding | None:
    if service.error or service.forbidden:
        return unknown(Check.PUSH_REACHED, f"{service.host} has no address that may be tried")
    if not service.refused:
        return None
    return broken(
        Check.PUSH_REACHED,
        f"the push service {service.host}, port {service.port}: {service.refused}",
        "let this machine open connections to it, and have the system know the authority of its certificate",
    )


def _taken(devices: Sequence[tuple[str, PushStanding]]) -> list[Finding]:
    """What push services said last. A device that has to subscribe again is not broken here, and only it can."""
    findings = [
        broken(
            Check.PUSH_TAKEN,
            f"{name}: its push service {standing.subscription.host} takes nothing ({standing.trouble})",
            "see the checks above; if they are fine, look at push_delayed in the log. It is tried again by itself",
        )
        for name, standing in devices
        if standing.state is PushState.FAILING
    ]
    if findings:
        return findings
    gone = [name for name, standing in devices if standing.state is PushState.FORGOTTEN]
    if gone:
        names = ", ".join(gone[:_SHOWN]) + (f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else "")
        return [
            unknown(
                Check.PUSH_TAKEN,
                f"the push services of {names} no longer know them",
                "open the page or the app there once",
            )
        ]
    return [fine(Check.PUSH_TAKEN)]


def _clock(rung: Sequence[tuple[str, PushStanding]]) -> Finding:
    """A signature holds for hours by the push service's clock (RFC 8292 §2)."""
    skews = [(standing.skew_s, standing.subscription.host) for _, standing in rung if standing.skew_s is not None]
    if not skews:
        return unknown(Check.PUSH_CLOCK, "no push service has said yet what time it is")
    off = [(skew_s, host) for skew_s, host in skews if abs(skew_s) > SLACK_S]
    if len(off) < len(skews):  # one that is right is enough: the others have clocks of their own
        return fine(Check.PUSH_CLOCK)
    skew_s, host = min(off, key=lambda each: abs(each[0]))
    way = "behind" if skew_s > 0 else "ahead of"
    return broken(
        Check.PUSH_CLOCK,
        f"this clock is {abs(skew_s)} s {way} that of {host}",
        "set the clock, and have it kept right: timedatectl set-ntp true",
    )

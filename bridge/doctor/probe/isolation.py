"""Isolation, tried: what one throw-away account can hear, write and take of the other's, and who comes in at all.

A broker may grant a subscription and filter at delivery, so that only what comes counts. Nothing is tried on topics
of real users: what a hole gives away of them is not looked at.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.contract.packing import VERSION
from bridge.doctor.judge.isolation import IsolationSeen
from bridge.doctor.look.mqtt import NotLetInError, NotReachedError, ProbeDevice
from bridge.doctor.probe.asking import ask
from bridge.doctor.probe.names import DEVICE

if TYPE_CHECKING:
    from bridge.doctor.look.deadline import TimeLeft
    from bridge.doctor.look.mqtt import Way
    from bridge.doctor.probe.accounts import ThrowAway

CATCHES_UP_S: Final = 1.0
FORGED_ID: Final = "0000d0c70"
"""The id of a mail of January 2025, when there was no Postbell."""


@dataclass(frozen=True, slots=True)
class TwoDevices:
    """Two devices of two users; the first has mail."""

    device: ProbeDevice
    account: ThrowAway
    other: ProbeDevice
    others_account: ThrowAway


def tried(way: Way, root: str, pair: TwoDevices, *, patience: TimeLeft) -> IsolationSeen:
    """All but the last, which may cost a device its connection. Raises OutOfTimeError, like the others here."""
    return IsolationSeen(
        anonymous=_strangers(way, pair.others_account, patience),
        leaked=_leaked(root, pair),
        wrote=_wrote(root, pair),
    )


def by_strangers(way: Way, *, reason: str, patience: TimeLeft) -> IsolationSeen:
    """What can be tried without any device, where somebody answers: to come in as nobody."""
    return IsolationSeen(reason=reason, anonymous=_strangers(way, None, patience))


def _strangers(way: Way, known: ThrowAway | None, patience: TimeLeft) -> str | None:
    """Who is let in without a right password: nobody, if empty; None when there is no telling."""
    told: str | None = None
    logins = [("", "", "anybody without a login")]
    if known is not None:
        logins.append((known.username, secrets.token_urlsafe(16), "a device with a wrong password"))
    for username, password, who in logins:
        try:
            with ProbeDevice(way, username, password, client_id="postbell-doctor", patience=patience).connect():
                return who
        except NotLetInError:
            told = ""
        except NotReachedError:
            continue  # some brokers close the connection without a word, others are not there
    return told


def _leaked(root: str, pair: TwoDevices) -> str:
    """A topic that is not the other's and came to it nevertheless."""
    user, other = pair.account.user, pair.other
    _, _, rest = root.partition("/")
    filters = (
        f"{root}/{user}/#",
        f"{root}/{user}/msg/+",
        f"{root}/{user}/text",
        f"{root}/{user}/re/{DEVICE}",
        f"{root}/+/box",
        f"{root}/+/msg/+",
        f"{root}/#",
        f"+/{rest}/{user}/last" if rest else f"+/{user}/last",
    )
    other.subscribe(f"{root}/{pair.others_account.user}/#")
    for topic_filter in filters:
        other.subscribe(topic_filter)
    _caught_up(root, other, pair.others_account, request=101)
    own = f"{root}/{pair.others_account.user}/"
    leaked = next(
        (
            heard.topic
            for heard in other.heard
            if heard.topic.startswith(f"{root}/") and not heard.topic.startswith(own)
        ),
        "",
    )
    return _without_users(leaked, root)


def _wrote(root: str, pair: TwoDevices) -> str:
    """A topic below the first user's name at which something of the other's device arrived."""
    tree, token = f"{root}/{pair.account.user}", secrets.token_hex(12).encode()
    retained = (f"{tree}/text", f"{tree}/msg/{FORGED_ID}")
    for topic in retained:
        pair.other.publish(topic, token, retain=True)
    for topic in (f"{tree}/re/{DEVICE}", f"{tree}/do/{DEVICE}", f"{tree}/event"):
        pair.other.publish(topic, token)
    _caught_up(root, pair.other, pair.others_account, request=102)
    _caught_up(root, pair.device, pair.account, request=103)
    arrived = [heard.topic for heard in pair.device.heard if heard.payload == token]
    for topic in retained if arrived else ():
        pair.other.publish(topic, b"", retain=True)
    return _without_users(arrived[0], root) if arrived else ""


def robbed(way: Way, root: str, pair: TwoDevices, *, patience: TimeLeft) -> bool:
    """Whether the first device's connection ends when the other's comes with its client id."""
    account, client_id = pair.others_account, pair.account.username
    with (
        suppress(NotLetInError, NotReachedError),
        ProbeDevice(way, account.username, account.password, client_id=client_id, patience=patience).connect(),
    ):
        _caught_up(root, pair.device, pair.account, request=104)
    return pair.device.lost


def _caught_up(root: str, device: ProbeDevice, account: ThrowAway, *, request: int) -> None:
    """Wait until an answer came back to the device: whatever was on its way to it before has come as well."""
    ask(device, root, account.user, [VERSION, request, "recent", 1], within_s=CATCHES_UP_S)


def _without_users(topic: str, root: str) -> str:
    """A topic as it may be told: whose it was is nobody's business."""
    if not topic.startswith(f"{root}/"):
        return topic
    return f"{root}/<user>/{topic.removeprefix(f'{root}/').partition('/')[2]}"

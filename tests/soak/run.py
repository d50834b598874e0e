"""The story of a soak: mail and devices all the time, one chore after the other, and now and then a restore."""

from __future__ import annotations

import functools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.contract.header import unpack_header
from bridge.store import offline
from tests.soak import chores, figures
from tests.soak.chores import Soaked
from tests.soak.device import Device
from tests.soak.sender import Sender
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.soak.figures import Sample

USERS = ("ada", "bob", "cleo")
AWAY_S, HERE_S = 1.5, 4.0
SAMPLES = 60


@dataclass(slots=True)
class Soak:
    """What came of it. `wrong` is empty when nothing was lost, shown twice, or grew."""

    accepted: int = 0
    shown: int = 0
    refused: int = 0
    chores: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def soak(directory: Path, *, seconds: float, rate: float, restores: int, say: Callable[[str], None]) -> Soak:
    """Soak a Postbell in a directory for so long."""
    result = Soak()
    with Soaked(directory) as system:
        phones = [Device(user, "phone", system.add(user)["password"], port=system.port) for user in USERS]
        login = json.loads(system.run("device", "add", USERS[1], "desk", "--json").stdout)
        desk = Device(USERS[1], "desk", login["password"], port=system.port)
        devices = [*phones, desk]
        system.serve()
        until(lambda: system.port("mqtts"), what="the broker's listeners")
        sender = Sender(USERS, connect=system.smtp, rate=rate, seed=1)
        ended = threading.Event()
        wandering = threading.Thread(target=_wander, args=(phones, ended), name="wandering")
        for device in devices:
            device.come()
        sender.start()
        wandering.start()
        begun = time.monotonic()
        try:
            _work(system, sender, devices, desk, result, begun=begun, seconds=seconds, restores=restores, say=say)
            sender.rest()
            system.wait_drained()
            ended.set()
            wandering.join()
            _all_shown(sender, devices)
        finally:
            ended.set()
            sender.stop()
            wandering.join()
            for device in devices:
                device.go()
        result.accepted, result.refused = sender.count, sender.refused
        result.shown = sum(len(phone.subjects()) for phone in phones)
        result.wrong += _differences(system, sender, devices)
        result.wrong += [f"{trend}" for trend in figures.trends(result.samples) if not trend.flat]
    return result


def _wander(devices: list[Device], ended: threading.Event) -> None:
    """One device after the other goes, and comes back; at the end all are there."""
    while not ended.is_set():
        for device in devices:
            if ended.wait(HERE_S):
                break
            if device.connected.is_set():
                device.go()
                ended.wait(AWAY_S)
                device.come()


def _work(
    system: Soaked,
    sender: Sender,
    devices: list[Device],
    desk: Device,
    result: Soak,
    *,
    begun: float,
    seconds: float,
    restores: int,
    say: Callable[[str], None],
) -> None:
    tasks: list[tuple[str, Callable[[], None]]] = [
        ("reload", lambda: chores.reload(system)),
        ("certificates", lambda: chores.renew_certificates(system)),
        ("backup", lambda: chores.back_up(system, sender)),
        ("device", lambda: chores.device_comes_and_goes(system, USERS[0])),
        ("user", lambda: chores.user_comes_and_goes(system)),
        ("password", lambda: chores.change_password(system, desk)),
        ("migration", lambda: chores.migrate(system)),
    ]
    due = [seconds * (number + 1) / (restores + 1) for number in range(restores)]
    next_sample, turn = 0.0, 0

    def elapsed() -> float:
        return time.monotonic() - begun

    def sample() -> None:
        nonlocal next_sample
        if elapsed() < next_sample:
            return
        next_sample = elapsed() + seconds / SAMPLES
        for process in ("bridge", "broker"):
            found = figures.look(process, int(system.facts(process).get("pid") or 0), elapsed())
            if found is not None:
                result.samples.append(found)
                say(
                    f"{found.at:7.1f} s  {process:7} {found.rss_kib / 1024:7.1f} MiB  {found.descriptors:3} descriptors"
                    f"  {found.threads:2} threads  {sender.count} accepted"
                )

    def done(name: str, work: Callable[[], None]) -> None:
        work()
        result.chores[name] = result.chores.get(name, 0) + 1

    while elapsed() < seconds or turn < len(tasks) or due:
        if due and elapsed() >= due[0]:
            due.pop(0)
            done("restore", lambda: chores.restore(system, sender, shown=lambda: _all_shown(sender, devices)))
        name, work = tasks[turn % len(tasks)]
        done(name, work)
        turn += 1
        sample()


def _all_shown(sender: Sender, devices: list[Device]) -> None:
    """Wait until every device has shown all that was accepted for its user."""
    for device in devices:
        until(functools.partial(_shown, sender, device), what=f"{device.username} to have shown all")


def _shown(sender: Sender, device: Device) -> bool:
    return sender.accepted[device.user] <= device.subjects()


def _differences(system: Soaked, sender: Sender, devices: list[Device]) -> list[str]:
    """What the store or a device has and should not have, or the other way round."""
    wrong = []
    with offline.reading(system.state_dir / "postbell.db") as connection:
        for user in USERS:
            rows = connection.execute(
                "SELECT header FROM message JOIN user USING (user_id) WHERE name = ?", (user,)
            ).fetchall()
            subjects = [unpack_header(payload).subject for (payload,) in rows]
            if sorted(subjects) != sorted(sender.accepted[user]):
                wrong.append(
                    f"the store has {len(subjects)} messages of {user}, accepted were {len(sender.accepted[user])}"
                )
    for device in devices:
        wrong += [f"{device.username} was shown {subject!r} twice" for subject in device.twice()]
        strangers = device.subjects() - sender.accepted[device.user]
        wrong += [f"{device.username} was shown {subject!r}, which nobody accepted" for subject in strangers]
    return wrong

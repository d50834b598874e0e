"""What a machine has to have: memory at rest and with devices, and what each mail leaves on the disk.

    python -m tests.bench.sizing [--mails 1000] [--devices 1000]

`postbell serve` as it is started by hand: the memory of its two processes when nothing happens, their proportional
share of what they have in common counted once (PSS); then so many mails of each size, each of them in the store and
out of the outbox before the state directory is measured; then so many devices with a session each that are away
while a mail comes for each, and what bridge and broker hold after all.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.store import offline, pairing, people
from tests.bench.broker_load import cpu_seconds, say
from tests.support.system import System

REST_S = 20
WORDS = (
    "bell",
    "post",
    "mail",
    "phone",
    "broker",
    "topic",
    "queue",
    "night",
    "letter",
    "garden",
    "window",
    "river",
    "morning",
    "answer",
    "table",
    "paper",
)


def shared_once(pid: int) -> int:
    """Bytes of memory of a process, with its part of what others hold as well (PSS)."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("Pss:"))


def on_disk(directory: Path) -> int:
    """Bytes of disk that all files below a directory take."""
    return sum(path.lstat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def processes(system: System) -> tuple[int, int]:
    """The bridge and its broker, by their numbers."""
    return system.facts("bridge")["pid"], system.facts("broker")["pid"]


def told_memory(system: System, when: str) -> None:
    """Say what bridge and broker hold now."""
    bridge, broker = (shared_once(pid) / 1e6 for pid in processes(system))
    say(f"{when:44} {bridge + broker:8.1f} MB  (bridge {bridge:.1f}, broker {broker:.1f})")


def letter(number: int, size: int) -> bytes:
    """A mail of about so many bytes that no other is a copy of."""
    chance = random.Random(number)
    text = [" ".join(chance.choices(WORDS, k=11)) for _ in range(max(1, size // 66))]
    fields = ("From: A <a@example.net>", "To: b@example.org", f"Subject: {text[0]}", f"Message-ID: <{size}.{number}@x>")
    return "\r\n".join([*(field.strip() for field in fields), "", *text, ""]).encode()


def mails_of(system: System, size: int, count: int, *, after: int = 0) -> None:
    """Hand in so many, after those that were, and say what each took of the disk."""
    before = on_disk(system.state_dir)
    with system.smtp() as smtp:
        for number in range(after, after + count):
            smtp.sendmail("a@example.net", ["u0@example.org"], letter(number, size))
    system.wait_drained()
    taken = (on_disk(system.state_dir) - before) / count
    which = f", after {after}" if after else ""
    say(f"{f'disk, each of {count} mails of {size / 1024:.0f} KiB{which}':44} {taken / 1024:8.1f} KiB")


def away(system: System, logins: list[tuple[str, str]]) -> None:
    """Each device makes a session that stays, and leaves."""
    for username, password in logins:
        client = paho.Client(CallbackAPIVersion.VERSION2, username, clean_session=False)
        client.username_pw_set(username, password)
        heard: list[object] = []
        client.on_subscribe = lambda *told, heard=heard: heard.append(told)
        client.connect("127.0.0.1", system.mqtt_port())
        user = username.partition(".")[0]
        client.subscribe([(f"mail/{user}/{last}", 1) for last in ("box", "msg/+")])
        while not heard:
            client.loop(1)
        client.disconnect()


def logins_of(system: System, devices: int) -> list[tuple[str, str]]:
    """A user with a device for each number, and `u0` without one; what the devices log in with."""
    path, now_ms = system.state_dir / "postbell.db", time.time_ns() // 1_000_000
    system.run("user", "add", "u0", "--address", "u0@example.org")
    logins = []
    with offline.transaction(path, now_ms=now_ms, count=100, days=7) as transaction:
        for number in range(1, devices + 1):
            people.add_user(transaction, f"u{number}", [f"u{number}@example.org"])
            logins.append((f"u{number}.phone", pairing.add_device(transaction, f"u{number}", "phone")))
    return logins


def at_rest(system: System) -> None:
    """Say what it costs while nothing happens."""
    time.sleep(REST_S / 4)
    told_memory(system, "memory, started and at rest")
    used = sum(map(cpu_seconds, processes(system)))
    time.sleep(REST_S)
    busy = sum(map(cpu_seconds, processes(system))) - used
    say(f"{'processor, at rest':44} {busy / REST_S * 100:8.2f} %")


def mail_for_each(system: System, logins: list[tuple[str, str]]) -> None:
    """A mail waits for each device; say what that took of the disk."""
    before = on_disk(system.state_dir)
    with system.smtp() as smtp:
        for number, _ in enumerate(logins, 1):
            smtp.sendmail("a@example.net", [f"u{number}@example.org"], letter(number, 4096))
    system.wait_drained()
    taken = (on_disk(system.state_dir) - before) / len(logins)
    say(f"{'disk, a session with a mail that waits':44} {taken / 1024:8.1f} KiB")


def main(arguments: list[str]) -> int:
    """Measure it all, a line for each figure."""
    parser = argparse.ArgumentParser(prog="sizing", description=__doc__)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--devices", type=int, default=1000)
    given = parser.parse_args(arguments)
    options = {"POSTBELL_RETAIN__COUNT": "100", "POSTBELL_BODY__QUOTA": "10G"}
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder,
        System(Path(folder), **options) as system,
    ):
        logins = logins_of(system, given.devices)
        system.serve()
        at_rest(system)
        mails_of(system, 4096, given.mails)
        mails_of(system, 4096, given.mails, after=given.mails)  # the databases' logs have their size by now
        mails_of(system, 64 * 1024, given.mails)
        mails_of(system, 1024 * 1024, given.mails // 10)
        told_memory(system, "memory, after these mails")
        away(system, logins)
        told_memory(system, f"memory, {given.devices} sessions of devices that are away")
        mail_for_each(system, logins)
        told_memory(system, "memory, and a mail waits for each of them")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

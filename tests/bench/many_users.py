"""Very many users on one machine: the start, a user who is added, and what is looked at from time to time.

    make bench ARGS="many_users [--small] [--users 100000] [--mails 3] [--no-rest]"
    make bench ARGS="many_users --store postgresql [--users 1000000] [--watch 90]"

Each user has an address, a device with a login and some live mails, written into the database straight. A start begins
at an empty broker, which is filled meanwhile: so `user add` and a device's first login are measured at its busiest.
Mail for who was added has to be accepted and a device's login to be right, or there is no figure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.box.live_set import Retention, horizon
from bridge.contract import ids
from bridge.contract.header import pack_header
from bridge.model import Header
from bridge.store import amounts, bodies, database, live, messages, pairing, people, registered, storms
from bridge.store.adapters import USERS_AT_ONCE
from bridge.store.bodies import Keeping
from bridge.store.writer import Transaction
from broker.loginreader import LoginReader
from tests.bench import many_shared_users
from tests.bench.broker_load import cpu_seconds, say
from tests.bench.result import MiscountError
from tests.bench.sizing import letter, processes, shared_once
from tests.support.system import System
from tests.support.waiting import until

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from paho.mqtt.reasoncodes import ReasonCode

COUNT, DAYS = 1000, 7.0
"""As `System` and the default have it."""
ROOM = Keeping(days=30, quota=500 << 20, total=10 << 30, headers_days=365)
REST_S = 30
LONGEST_FILL_S = 3600


def fill(path: Path, users: int, mails: int) -> None:
    """So many users u0, u1, … with a device `phone` each, and so many live mails of the last hour."""
    database.prepare(path)
    now_ms = time.time_ns() // 1_000_000
    first = ids.at(now_ms) - 3_600_000
    header = Header(0, "A Person", "person@example.net", "Something to read", "and what it says first", size=1000)
    packed, salt = pack_header(header, limit=300), b"s" * 16
    digest = hashlib.sha256(salt + b"secret").digest()
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        many = connection.executemany
        many(
            "INSERT INTO user (name, views, last_number, created_ms, live, kept, stored) VALUES (?, '', ?, 0, ?, ?, ?)",
            ((f"u{user}", first + mails, mails, mails, 1000 * mails) for user in range(users)),
        )
        addresses = (f"u{user}@example.org" for user in range(users))
        many("INSERT INTO address VALUES (?, ?, ?)", ((each, user, each) for user, each in enumerate(addresses, 1)))
        many("INSERT INTO device (user_id, name, created_ms) VALUES (?, 'phone', 0)", ((u + 1,) for u in range(users)))
        many(
            "INSERT INTO login (username, label, role, salt, hash) VALUES (?, 'device', 'device', ?, ?)",
            ((f"u{user}.phone", salt, digest) for user in range(users)),
        )
        many(
            "INSERT INTO body (received_ms, size, raw) VALUES (?, 1000, ?)",
            ((now_ms, bytes(1000)) for _ in range(users * mails)),
        )
        many(
            "INSERT INTO message (user_id, number, header, message_id, digest, size, body_id, live)"
            " VALUES (?, ?, ?, ?, ?, 1000, ?, 1)",
            (
                (user + 1, first + mail, packed, f"<{user}.{mail}@x>", salt, user * mails + mail + 1)
                for user in range(users)
                for mail in range(mails)
            ),
        )
        connection.execute("UPDATE stored SET bytes = ?", (1000 * mails * users,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# --- what is looked at from time to time ----------------------------------------------------------------


def looks(path: Path, users: int) -> dict[str, Callable[[sqlite3.Connection], object]]:
    """What is done every so often, or at a start, each on a connection inside a transaction."""
    now_ms = time.time_ns() // 1_000_000
    until_ = horizon(now_ms, DAYS)
    reader = LoginReader(path)
    reader.news()

    def start(connection: sqlite3.Connection) -> None:
        transaction = Transaction(connection, now_ms)
        live.take_up(transaction, Retention(COUNT, DAYS))
        live.bring_up_to_date(transaction, Retention(COUNT, DAYS))

    return {
        "at a start with other settings: all live sets": start,
        "at a start: the live sets": start,
        "at a start: files of large bodies": messages.spooled_files,
        "5 s: what became too old": lambda connection: live.crossed_of_some(
            connection, since=until_ - 5000, until=until_, behind=0, users=USERS_AT_ONCE
        ),
        "5 s: storms": lambda connection: storms.any_over(connection, now_ms),
        "15 s: whose box is full": lambda connection: messages.users_with(connection, 500_000),
        "60 s: who is over the quota": lambda connection: bodies.over_quota(connection, ROOM.quota),
        "60 s: bodies and headers over a limit": lambda connection: bodies.clear(Transaction(connection, now_ms), ROOM),
        "each scrape of metrics: users, devices, live messages": lambda connection: (
            amounts.of_users(connection),
            amounts.devices(connection),
        ),
        "each change of people: revision": people.revision,
        "each change of people: Home Assistant's users": pairing.discovered,
        "each new address: whose it is": lambda connection: registered.resolve(connection, "U7+x@example.org"),
        "each new login: who it is": lambda _: reader.read(["u7.phone"]),
        "a login that went: whose of all": lambda _: reader.gone([f"u{user}.phone" for user in range(users)]),
    }


def timed(path: Path, users: int) -> None:
    """Say how long each of them takes, at best of some times where it can be repeated."""
    for name, look in looks(path, users).items():
        best_s = 1e9
        for _ in range(1 if name.startswith("at a start with") else 5):
            with closing(database.connect(path)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                began_s = time.process_time()
                look(connection)
                best_s = min(best_s, time.process_time() - began_s)
                connection.execute("COMMIT")
        say(f"{name:52} {best_s * 1000:9.1f} ms of processor")


# --- a whole Postbell -----------------------------------------------------------------------------------


def accepted(system: System, address: str) -> bool:
    """Whether a mail for this address is taken."""
    with system.smtp() as smtp:
        smtp.ehlo("x.example")
        smtp.mail("a@example.net")
        code, _ = smtp.rcpt(address)
        return code == 250


def started(system: System, users: int, which: str) -> None:
    """Say how long a start takes, until mail is taken and until a device gets in."""
    began = time.monotonic()
    bridge = system.start("serve")
    until(lambda: system.facts("bridge").get("pid") == bridge.pid, what="the bridge", patience_s=120)
    until(lambda: system.facts("bridge").get("smtp"), what="the listener", patience_s=120)
    if not accepted(system, f"u{users - 1}@example.org"):
        raise MiscountError("no figure for a start: the last user's mail is refused")
    say(f"{f'{which} start, until mail is taken':52} {time.monotonic() - began:9.2f} s")
    system.wait_connected()
    took, used = time.monotonic() - began, sum(map(cpu_seconds, processes(system)))
    say(f"{f'{which} start, until the bridge has its broker':52} {took:9.2f} s, {used:.2f} of processor")
    let_in(system, f"u{users - 1}.phone", "secret")
    say(f"{f'{which} start, until a device is let in':52} {time.monotonic() - began:9.2f} s")


def let_in(system: System, username: str, password: str) -> None:
    """A device connects; raises MiscountError when it is refused."""
    client = paho.Client(CallbackAPIVersion.VERSION2, username)
    client.username_pw_set(username, password)
    answers: list[ReasonCode] = []
    client.on_connect = lambda _client, _data, _flags, answer, _properties: answers.append(answer)
    client.connect("127.0.0.1", system.mqtt_port())
    while not answers:
        client.loop(1)
    client.disconnect()
    if answers[0].is_failure:
        raise MiscountError(f"no figure: {username} is refused: {answers[0]}")


def added(system: System, name: str) -> None:
    """Say how long a command takes with which a user is added, and from then on until mail is taken and a device in."""
    began = time.monotonic()
    system.run("user", "add", name, "--address", f"{name}@example.org")
    took = time.monotonic()
    until(lambda: accepted(system, f"{name}@example.org"), what="the new user's mail")
    say(f"{'user add, the command itself':52} {took - began:9.2f} s")
    say(f"{'user add, from its end until mail is taken':52} {time.monotonic() - took:9.3f} s")
    login = json.loads(system.run("device", "add", name, "phone", "--json").stdout)
    took = time.monotonic()
    let_in(system, login["username"], login["password"])
    say(f"{'device add, from its end until it is let in':52} {time.monotonic() - took:9.3f} s")
    with system.smtp() as smtp:
        smtp.sendmail("a@example.net", [f"{name}@example.org"], letter(1, 4096))


def memory(system: System, when: str) -> None:
    """Say what bridge and broker hold."""
    bridge, broker = (shared_once(pid) / 1e6 for pid in processes(system))
    say(f"{f'memory, {when}':52} {bridge:9.1f} MB of the bridge, {broker:.1f} MB of the broker")


def at_rest(system: System) -> None:
    """Say what it costs when the broker has everything and nothing happens."""
    path = system.directory / "serve.log"
    until(lambda: b'"reconciled"' in path.read_bytes(), what="the first look at the broker", patience_s=LONGEST_FILL_S)
    until(lambda: system.waiting() == 0, what="all to be published", patience_s=LONGEST_FILL_S)
    time.sleep(10)
    memory(system, "all published")
    used = [cpu_seconds(pid) for pid in processes(system)]
    time.sleep(REST_S)
    bridge, broker = (
        (now - before) / REST_S * 100 for now, before in zip(map(cpu_seconds, processes(system)), used, strict=True)
    )
    say(f"{'processor, at rest':52} {bridge:9.2f} % of the bridge, {broker:.2f} % of the broker")


def main(arguments: list[str]) -> int:
    """Measure it all, a line for each figure; 1 where the work does not add up."""
    parser = argparse.ArgumentParser(prog="many_users", description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--watch", type=float, default=90.0, help="seconds that bridges at PostgreSQL are watched")
    parser.add_argument("--mails", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="so little that it only shows that it works")
    parser.add_argument("--no-rest", action="store_true", help="do not wait until the broker has everything")
    given = parser.parse_args(arguments)
    users = 200 if given.small else given.users
    if given.store == "postgresql":
        return many_shared_users.main(users=users, mails=given.mails, watch_s=given.watch)
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        path = system.state_dir / "postbell.db"
        fill(path, users, given.mails)
        say(f"{users:,} users with {given.mails} live mails each: {path.stat().st_size / 1e6:,.0f} MB")
        try:
            timed(path, users)
            started(system, users, "first")
            system.stop(system.processes[-1])
            started(system, users, "next")
            memory(system, "soon after the start")
            for number in range(3):
                added(system, f"newcomer{number}")
            if not given.no_rest:
                at_rest(system)
                added(system, "latecomer")
        except MiscountError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

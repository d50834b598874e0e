"""Very many users in one PostgreSQL: the start, a user who is added, and each query that is done from time to time.

    make bench ARGS="many_users --store postgresql [--users 1000000] [--mails 3] [--watch 90]"

Each user has an address, a device with a login and some live mails, written by statements over sets. A start begins at
an empty mosquitto, which is filled meanwhile: so `user add` is measured at its busiest. What time does is asked of
PostgreSQL itself (pg_stat_statements), once for each operation by itself and once for all that a running bridge did.
Mail for who was added has to be accepted, or there is no figure.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.box.live_set import Retention, horizon
from bridge.contract import ids
from bridge.contract.header import pack_header
from bridge.model import Header
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.shards.course import COMPARED
from bridge.store import (
    amounts,
    backlog,
    bodies,
    grouped_live,
    live,
    logins,
    messages,
    notifications,
    outbox,
    pairing,
    people,
    portions,
    registered,
    storms,
)
from bridge.store.adapters import USERS_AT_ONCE
from bridge.store.bodies import Keeping
from bridge.store.postgres import PostgresEngine
from bridge.store.writer import Transaction
from tests.bench.broker_load import cpu_seconds, say
from tests.bench.result import MiscountError
from tests.bench.sizing import shared_once
from tests.support import postgres as support
from tests.support.mosquitto import RuledMosquitto
from tests.support.shared_store import NodeSystem
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.postgres.connection import PostgresConnection

COUNT, DAYS = 1000, 7.0
"""As `System` and the default have it."""
ROOM = Keeping(days=30, quota=500 << 20, total=1 << 40, headers_days=365)
SERVER = """
shared_buffers = 1GB
max_wal_size = 8GB
maintenance_work_mem = 1GB
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_utility = off
"""
LONGEST_MS = 50.0
"""No query that is done from time to time may take longer."""
AT_ONCE = 100_000
REPEATED = 5
FILL = (
    """
    INSERT INTO "user" (user_id, name, views, last_number, created_ms, live, kept, stored)
    SELECT u, 'u' || u, '', :first + :mails - 1, 0, :mails, :mails, 1000 * :mails FROM generate_series(:from, :to) u
    """,
    """
    INSERT INTO address SELECT 'u' || u || '@example.org', u, 'u' || u || '@example.org'
    FROM generate_series(:from, :to) u
    """,
    "INSERT INTO device (user_id, name, created_ms) SELECT u, 'phone', 0 FROM generate_series(:from, :to) u",
    """
    INSERT INTO login (username, label, role, salt, hash)
    SELECT 'u' || u || '.phone', 'device', 'device', :salt, :salt FROM generate_series(:from, :to) u
    """,
    """
    INSERT INTO body (body_id, received_ms, size, raw) SELECT u * :mails + m, :now_ms, 1000, CAST(:raw AS bytea)
    FROM generate_series(:from, :to) u, generate_series(0, :mails - 1) m
    """,
    """
    INSERT INTO message (user_id, number, header, message_id, digest, size, body_id, live)
    SELECT u, :first + m, CAST(:header AS bytea), '<' || u || '.' || m || '@x>', CAST(:salt AS bytea), 1000,
        u * :mails + m, 1
    FROM generate_series(:from, :to) u, generate_series(0, :mails - 1) m
    """,
)
"""Statements over sets: each row of them would be a round trip."""


def fill(url: str, users: int, mails: int) -> None:
    """So many users u1, u2, … with a device `phone` each, and so many live mails of the last hour."""
    now_ms = time.time_ns() // 1_000_000
    header = Header(0, "A Person", "person@example.net", "Something to read", "and what it says first", size=1000)
    given = {
        "first": ids.at(now_ms) - 3_600_000,
        "mails": mails,
        "now_ms": now_ms,
        "salt": b"s" * 16,
        "raw": bytes(1000),
        "header": pack_header(header, limit=300),
    }
    with closing(connecting.connect(url, name="fill", patience_s=3600)) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # what triggers count is counted here
        for start in range(1, users + 1, AT_ONCE):
            some = given | {"from": start, "to": min(users, start + AT_ONCE - 1)}
            for statement in FILL:
                connection.execute(statement, some)
        connection.execute("UPDATE stored SET bytes = ? WHERE slot = 0", (1000 * mails * users,))
        connection.execute("SELECT setval('body_block', ?)", (users * mails // 1024 + 2,))
        connection.execute("SELECT setval(pg_get_serial_sequence('\"user\"', 'user_id'), ?)", (users,))
        connection.execute("VACUUM ANALYZE")
        connection.execute("CREATE EXTENSION pg_stat_statements")


# --- what is looked at from time to time ----------------------------------------------------------------


def looks(users: int) -> dict[str, Callable[[Transaction], object]]:
    """What is done every so often, by the name of when and what."""
    now_ms = time.time_ns() // 1_000_000
    until_ = horizon(now_ms, DAYS)
    some = {"since": until_ - 5000, "until": until_, "behind": 0, "users": USERS_AT_ONCE}
    portion = (users // 2, users // 2 + portions.AT_ONCE)
    push = {"now_ms": now_ms, "ttl_ms": 86_400_000, "limit": 32, "without": (), "days": DAYS}

    def reading(look: Callable[..., Any], *values: Any, **more: Any) -> Callable[[Transaction], object]:
        return lambda transaction: transaction.form(look)(transaction.connection, *values, **more)

    return {
        "0.5 s: revision of people": reading(people.revision),
        "0.5 s: revision of logins": reading(logins.revision),
        "1 s: who is to be rung": reading(notifications.take, **push),
        "5 s: what became too old": reading(live.crossed_of_some, **some),
        "5 s: storms": reading(storms.any_over, now_ms),
        "5 s after a start with other settings: live sets": reading(
            grouped_live.different_of_some, Retention(COUNT, DAYS), now_ms=now_ms, behind=0, users=COMPARED
        ),
        "15 s: whose box is full, of some": reading(messages.users_with, 500_000, among=portion),
        "60 s: who is over the quota, of some": reading(bodies.over_quota, ROOM.quota, among=portion),
        "60 s: bodies and headers over a limit": lambda transaction: transaction.form(bodies.clear)(transaction, ROOM),
        "each scrape of metrics: users and live messages, of some": reading(amounts.of_users, among=portion),
        "each scrape of metrics: devices, of some": reading(amounts.devices, among=portion),
        "each scrape of metrics: what waits": reading(backlog.waiting),
        "each scrape of metrics: the oldest that waits": reading(outbox.oldest_new_ms),
        "each scrape of metrics: the first that waits": reading(outbox.first_and_highest),
        "each change of people: Home Assistant's users": reading(pairing.discovered),
        "each page of a look at the broker": reading(
            registered.names, after=f"u{users // 2}", limit=100, live=800, each=4, shards=list(range(64))
        ),
        "the same, of two shards": reading(
            registered.names, after=f"u{users // 2}", limit=100, live=800, each=4, shards=[7, 40]
        ),
        "each new address: whose it is": reading(registered.resolve, "U7+x@example.org"),
    }


@dataclass(frozen=True)
class Query:
    """What PostgreSQL says of one: how often, and milliseconds at best, at the mean and at most."""

    text: str
    calls: int
    best_ms: float
    mean_ms: float
    longest_ms: float


def asked(connection: PostgresConnection) -> list[Query]:
    """All that were done in this database since it was asked last, the longest first."""
    rows = connection.execute(
        "SELECT query, calls, min_exec_time, mean_exec_time, max_exec_time FROM pg_stat_statements s"
        " JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()"
        " AND query NOT LIKE '%pg_stat_statements%' ORDER BY mean_exec_time DESC"
    ).fetchall()
    connection.execute("SELECT pg_stat_statements_reset()")
    return [Query(" ".join(row[0].split()), *row[1:]) for row in rows]


def timed(url: str, users: int) -> None:
    """Say how long each of them takes by itself: of its longest query the best of some times."""
    its = PostgresEngine(url)
    with closing(connecting.connect(url, name="looks")) as connection:
        for name, look in looks(users).items():
            asked(connection)
            for _ in range(REPEATED):
                connection.begin()
                look(Transaction(connection, time.time_ns() // 1_000_000, form=its.form))
                connection.rollback()
            found = asked(connection)
            longest = max(found, key=lambda query: query.best_ms)
            over = "" if longest.best_ms <= LONGEST_MS else f"   over {LONGEST_MS:.0f} ms"
            say(f"{name:52} {longest.best_ms:9.2f} ms of {sum(query.best_ms for query in found):.2f}{over}")


# --- whole bridges --------------------------------------------------------------------------------------


class Several:
    """A database with its broker, and bridges to be started at it."""

    def __init__(self, stack: ExitStack, directory: Path, url: str, names: Sequence[str]) -> None:
        passwords = {f"bridge-{name}": secrets.token_hex(8) for name in names}
        self.broker = stack.enter_context(
            RuledMosquitto(directory, dict.fromkeys(passwords, "bridge"), passwords, verbose=False)
        )
        self.nodes_file = directory / "nodes"
        self.nodes_file.write_text("".join(f"{name}:{passwords[f'bridge-{name}']}\n" for name in names))
        self.nodes = [
            stack.enter_context(
                NodeSystem(
                    directory / name,
                    name,
                    store=url,
                    broker=self.broker.url,
                    password=passwords[f"bridge-{name}"],
                    POSTBELL_MQTT__NODES_FILE=str(self.nodes_file),
                )
            )
            for name in names
        ]


def accepted(system: NodeSystem, address: str) -> bool:
    """Whether a mail for this address is taken."""
    with system.smtp() as smtp:
        smtp.ehlo("x.example")
        smtp.mail("a@example.net")
        code, _ = smtp.rcpt(address)
        return code == 250


def started(system: NodeSystem, users: int, which: str) -> None:
    """Say how long a start takes, until mail is taken and until it is connected."""
    began = time.monotonic()
    system.start_bridge()

    def there(key: str) -> Callable[[], object]:
        return lambda: system.facts("bridge").get("pid") == system.bridge.pid and system.facts("bridge").get(key)

    until(there("smtp"), what="the listener", patience_s=3600)
    if not accepted(system, f"u{users}@example.org"):
        raise MiscountError("no figure for a start: the last user's mail is refused")
    say(f"{f'{which}, until mail is taken':52} {time.monotonic() - began:9.2f} s")
    until(there("connected"), what="its broker", patience_s=3600)
    took, used = time.monotonic() - began, cpu_seconds(system.bridge.pid)
    say(f"{f'{which}, until it is connected':52} {took:9.2f} s, {used:.2f} of processor of the bridge")


def added(nodes: Sequence[NodeSystem], name: str) -> None:
    """Say how long a command takes with which a user is added, and then until each bridge takes their mail."""
    began = time.monotonic()
    nodes[0].run("user", "add", name, "--address", f"{name}@example.org")
    took = time.monotonic()
    say(f"{'user add, the command itself':52} {took - began:9.2f} s")
    for node in nodes:
        until(lambda: accepted(node, f"{name}@example.org"), what="the new user's mail")  # noqa: B023 - at once
        say(f"{f'user add, until {node.node} takes their mail':52} {time.monotonic() - took:9.3f} s")
    if not nodes[-1].send(b"Subject: x\r\n\r\n", f"{name}@example.org"):
        raise MiscountError("no figure: the new user's mail is not kept")


def watched(url: str, watch_s: float) -> None:
    """Say what the bridges asked while they ran, as far as any of it took long."""
    with closing(connecting.connect(url, name="watch")) as connection:
        asked(connection)
        time.sleep(watch_s)
        found = asked(connection)
    say(f"{len(found)} queries of running bridges in {watch_s:.0f} s, the longest by the mean:")
    for query in found[:12]:
        say(f"  {query.mean_ms:8.2f} ms, at most {query.longest_ms:8.2f}, {query.calls:6} times: {query.text[:110]}")


def measure(users: int, mails: int, watch_s: float) -> None:
    """All of it, a line for each figure; raises MiscountError."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(support.server(settings=SERVER))
        url = stack.enter_context(server.database())
        database.prepare(url)
        began = time.monotonic()
        fill(url, users, mails)
        with closing(connecting.connect(url, name="size")) as connection:
            [(size,)] = connection.execute("SELECT pg_database_size(current_database())").fetchall()
        say(f"{users:,} users with {mails} live mails each: {size / 1e6:,.0f} MB in {time.monotonic() - began:.0f} s")
        timed(url, users)
        several = Several(stack, directory, url, ["a", "b"])
        first, second = several.nodes
        started(first, users, "first start")
        first.stop(first.bridge)
        started(first, users, "next start")
        say(f"{'memory of the bridge, soon after':52} {shared_once(first.bridge.pid) / 1e6:9.1f} MB")
        started(second, users, "second bridge")
        for number in range(3):
            added(several.nodes, f"newcomer{number}")
        watched(url, watch_s)


def main(*, users: int, mails: int, watch_s: float) -> int:
    """Measure it; 1 where the work does not add up."""
    try:
        measure(users, mails, watch_s)
    except MiscountError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0

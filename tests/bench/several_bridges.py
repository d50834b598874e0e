"""Several bridges on one PostgreSQL: what a mail costs each part, and how long it takes until another one takes over.

    make bench ARGS="several_bridges [--bridges 1,2,4] [--mails 4000] [--takeovers 5]
        [--parts cost,counts,takeover,rolling]"

`cost` has as many smtp-sources as bridges, 50 connections each, hand in mail for 64 users, behind the first 400 of
each; processor time is that of all bridges, of PostgreSQL with its sessions, and of mosquitto. Every mail has to be
answered 250, kept once and shown once, and nothing may be left to be published. `counts`
does the same, and tells what does not depend on how busy the machine is: statements a mail, by pg_stat_statements.
`takeover` kills, stops and ends one of two, again and again, and times until the other one serves all shards. `rolling`
ends three bridges, one after the other, while mail comes, and tells how long the latest mail took from its 250 to a
device.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psycopg

from bridge.bench import processor
from bridge.postgres import database
from bridge.store import offline, people
from tests.bench.onlooker import Onlooker
from tests.bench.result import agree
from tests.conftest import need
from tests.integration.test_shards_bridges import Phone, Sender
from tests.support import postgres as support
from tests.support.mosquitto import RuledMosquitto
from tests.support.shared_store import NodeSystem, SharedStore
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paho.mqtt.client import MQTTMessage

    from tests.support.postgres import PostgresServer

USERS = 64
ADDRESS = "u@example.org"
CONNECTIONS = 50
LOOK_S = 0.01
LEAVES = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP, "ended": signal.SIGTERM}
UNDER_LOAD_S = 4.0
FIRST_MAILS = 400
"""Of each bridge, before its cost is taken."""
STATEMENTS = {
    "groups of mails: boxes locked": 'SELECT user_id FROM "user" WHERE user_id = ANY',
    "looks for new mail": "SELECT m.user_id, m.number, m.waits",
    "looks for what was marked": "SELECT o.path, o.kind, o.generation, o.user_id, o.number",
    "looks for views": "SELECT o.path, o.kind, o.generation, o.user_id, u.views",
    "what views show": "SELECT u.user_id, ARRAY",
    "settled: new mail": "UPDATE message m SET waits = CASE",
    "settled: leases locked": "SELECT shard, epoch FROM lease",
    "settled: rows of the outbox": "DELETE FROM outbox",
    "marks raised": "UPDATE lease SET taken",
    "told: NOTIFY": "SELECT pg_notify",
    "whose an address is": "SELECT r.value, u.user_id, u.name FROM revision",
    "as of which revision": "SELECT value FROM revision",
}
"""Statements by how they begin."""


@dataclass(frozen=True)
class Several:
    """Bridges that run."""

    server: PostgresServer
    store: SharedStore
    broker: RuledMosquitto
    nodes: Sequence[NodeSystem]
    passwords: dict[str, str]

    def used_s(self) -> dict[str, float]:
        """Seconds of processor time so far, of each part with all its processes."""
        assert self.server.process is not None
        assert self.broker.process is not None
        return {
            "bridges": sum(processor.used_s(processor.family(node.bridge.pid)) or 0.0 for node in self.nodes),
            "PostgreSQL": with_those_that_ended_s(self.server.process.pid),
            "mosquitto": processor.used_s({self.broker.process.pid}) or 0.0,
        }


def with_those_that_ended_s(pid: int) -> float:
    """Processor time of a process, of all that it has started and that run, and of all that have ended."""
    ticks = 0
    for each in processor.family(pid):
        with suppress(OSError):
            told = Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2].split()
            ticks += sum(map(int, told[11:15] if each == pid else told[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def several(count: int, *, addresses: int, log: str = "info", settings: str = "") -> Iterator[Several]:
    """So many bridges with users u0 …, who take turns at so many numbered addresses; all is at rest."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(support.server(settings=settings))
        url = stack.enter_context(server.database())
        database.prepare(url)
        with offline.transaction(url, now_ms=0, count=1000, days=7) as transaction:
            for number in range(USERS):
                theirs = [f"{each}{ADDRESS}" for each in range(number + 1, addresses + 1, USERS)]
                people.add_user(transaction, f"user{number}", [f"user{number}@example.org", *theirs])
        names = [f"n{number}" for number in range(count)]
        passwords = {name: secrets.token_hex(8) for name in (*(f"bridge-{each}" for each in names), "looker")}
        passwords |= {f"user{number}.phone": f"word-user{number}" for number in range(USERS)}
        roles = dict.fromkeys(passwords, "device") | {"looker": "admin"}
        roles |= {f"bridge-{each}": "bridge" for each in names}
        broker = stack.enter_context(RuledMosquitto(directory, roles, passwords, verbose=False))
        (directory / "nodes").write_text("".join(f"{each}:{passwords[f'bridge-{each}']}\n" for each in names))
        more = {
            "POSTBELL_MQTT__NODES_FILE": str(directory / "nodes"),
            "POSTBELL_RETAIN__COUNT": "100000",
            "POSTBELL_LOG__LEVEL": log,
            "POSTBELL_LIMITS__CONNECTIONS_PER_ADDRESS": "200",
        }
        nodes = [
            NodeSystem(
                directory / each, each, store=url, broker=broker.url, password=passwords[f"bridge-{each}"], **more
            )
            for each in names
        ]
        for node in nodes:
            stack.enter_context(node)
            node.start_bridge()
        for node in nodes:
            node.wait_connected()
        store = SharedStore(url)
        store.spread(*names)
        store.drained()
        yield Several(server, store, broker, nodes, passwords)


class TimedPhone(Phone):
    """One that knows when each mail came."""

    def __init__(self, user: str, address: tuple[str, int]) -> None:
        self.shown_at: dict[str, float] = {}
        super().__init__(user, address)

    def received(self, client: object, userdata: object, message: MQTTMessage) -> None:
        super().received(client, userdata, message)
        if "/msg/" in message.topic and message.payload:
            self.shown_at.setdefault(message.topic.rpartition("/")[2], time.monotonic())


class TimedSender(Sender):
    """One that knows when each mail was answered 250."""

    def __init__(self, nodes: Sequence[NodeSystem]) -> None:
        self.kept_at: dict[str, float] = {}
        super().__init__(nodes)

    def hand_in(self, node: NodeSystem, raw: bytes, user: str) -> str:
        mail_id = super().hand_in(node, raw, user)
        self.kept_at[mail_id] = time.monotonic()
        return str(mail_id)


def onlooker(running: Several) -> Onlooker:
    """Sees the header of each mail."""
    login = ("looker", running.passwords["looker"])
    return Onlooker(("127.0.0.1", running.broker.port), "mail/+/msg/+", login=login)


def hand_in(running: Several, seen: Onlooker, mails: int, *, before: int = 0) -> float:
    """Have so many mails handed in behind those of before, at all bridges at once; in how many seconds all were shown.

    Raises MiscountError unless each is kept once and shown once; nothing is left then.
    """
    count = len(running.nodes)
    begun = time.perf_counter()
    sources = []
    for node in running.nodes:
        load = ("-s", CONNECTIONS, "-m", mails // count, "-l", 4096, "-d", "-N", "-t", ADDRESS)
        command = [need("smtp-source"), *map(str, load), str(node.facts("bridge")["smtp"])]
        sources.append(subprocess.Popen(command, stderr=subprocess.PIPE))
    refused = [source.wait() for source in sources]
    agree("what was refused", 0, refusals=sum(refused))
    seen.settled(before + mails)
    took_s = time.perf_counter() - begun
    running.store.drained()
    topics = seen.topics()
    [(kept,)] = running.store.rows("SELECT count(*) FROM message")
    agree(f"{count} bridges", before + mails, kept=kept, received=len(topics), different=len(set(topics)))
    return took_s


def cost(count: int, mails: int) -> dict[str, float]:
    """Microseconds of processor time that a mail costs each part, and mails a second until all were shown.

    The first mails of each bridge are not among them: each process has its first use of everything, once.
    """
    with several(count, addresses=mails, log="warning") as running, onlooker(running) as seen:
        first = FIRST_MAILS * count
        hand_in(running, seen, first)
        used_before = running.used_s()
        took_s = hand_in(running, seen, mails, before=first)
        used = {name: now - used_before[name] for name, now in running.used_s().items()}
        used["all"] = sum(used.values())
        return {name: seconds / mails * 1e6 for name, seconds in used.items()} | {"rate": mails / took_s}


def statements(count: int, mails: int) -> dict[str, float]:
    """How many statements of each kind are done for a mail."""
    settings = "shared_preload_libraries = 'pg_stat_statements'\n"
    with several(count, addresses=mails, log="warning", settings=settings) as running, onlooker(running) as seen:
        with psycopg.connect(running.store.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute("SELECT pg_stat_statements_reset()")  # of what made the users
        hand_in(running, seen, mails)
        found = running.store.rows("SELECT query, calls FROM pg_stat_statements WHERE calls > 1")
    told = dict.fromkeys((*STATEMENTS, "others"), 0.0)
    for query, calls in found:
        words = " ".join(str(query).split())
        kind = next((name for name, begins in STATEMENTS.items() if words.startswith(begins)), "others")
        told[kind] += calls / mails
    return told


def counts(bridges: Sequence[int], mails: int) -> None:
    """Say it side by side: a line for each kind of statement."""
    found = [statements(count, mails) for count in bridges]
    say(f"{'statements a mail, by the number of bridges':44}" + "".join(f"{count:10}" for count in bridges))
    for name in found[0]:
        say(f"{name:44}" + "".join(f"{each[name]:10.3f}" for each in found))
    say(f"{'all':44}" + "".join(f"{sum(each.values()):10.3f}" for each in found))


def costs(counts: Sequence[int], mails: int) -> None:
    first: dict[str, float] = {}
    for count in counts:
        found = cost(count, mails)
        first = first or found
        parts = "   ".join(
            f"{name} {used:6.0f} µs ({used / first[name]:4.2f})" for name, used in found.items() if name != "rate"
        )
        say(f"{count} bridges   {found['rate']:6.0f} mails/s   {parts}")


def takeovers(times: int) -> None:
    """How long it takes until who is left serves all shards."""
    with several(2, addresses=0) as running:
        a, b = running.nodes
        for how, number in LEAVES.items():
            took = []
            for _ in range(times):
                begun = time.perf_counter()
                served = len(b.logged("leases_served"))
                a.send_signal(number)
                while len(b.logged("leases_served")) == served or b.logged("leases_served")[-1]["own"] < USERS:
                    time.sleep(LOOK_S)
                took.append(time.perf_counter() - begun)
                if number is signal.SIGSTOP:
                    a.send_signal(signal.SIGCONT)
                else:
                    a.start_bridge()
                running.store.spread(a.node, b.node)
            say(f"{how:8} {median(took):5.2f} s until the other serves all (at most {max(took):5.2f}, {times} times)")


def rolling() -> None:
    """Three bridges are ended and started again, one after the other, while mail comes."""
    with several(3, addresses=0) as running:
        phones = {
            f"user{number}": TimedPhone(f"user{number}", running.broker.address()) for number in range(0, USERS, 8)
        }
        sender = TimedSender(running.nodes)
        try:
            for node in running.nodes:
                time.sleep(UNDER_LOAD_S)
                node.send_signal(signal.SIGTERM)
                node.start_bridge()
                node.wait_connected()
            time.sleep(UNDER_LOAD_S)
        finally:
            sender.stop()

        def all_there() -> bool:
            return all(sender.kept.get(user, set()) <= phone.shown_at.keys() for user, phone in phones.items())

        until(all_there, what="every mail to be on its device")
        late = [
            phones[user].shown_at[each] - sender.kept_at[each] for user, some in sender.kept.items() for each in some
        ]
        for phone in phones.values():
            phone.close()
        say(f"{len(late)} mails, {median(late) * 1e3:.0f} ms from 250 to the device, the latest {max(late):.2f} s")


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bridges", default="1,2,4")
    parser.add_argument("--mails", type=int, default=4000)
    parser.add_argument("--takeovers", type=int, default=5)
    parser.add_argument("--parts", default="cost,counts,takeover,rolling")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if "cost" in parts:
        costs([int(each) for each in options.bridges.split(",")], options.mails)
    if "counts" in parts:
        counts([int(each) for each in options.bridges.split(",")], options.mails)
    if "takeover" in parts:
        takeovers(options.takeovers)
    if "rolling" in parts:
        rolling()
    return 0


if __name__ == "__main__":
    sys.exit(main())

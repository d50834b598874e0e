"""Push against polling, the reason of the project: what a mail, an idle hour and a wait cost a phone, and the server.

    make bench ARGS="polling [--small] [--json FILE]"

A real Dovecot and a whole Postbell, both over TLS 1.3 behind a proxy that counts bytes, round trips and, by the kernel,
packets. An hour is worked out of what one poll, ping or renewal took. Each figure comes after its work was checked: the
mail was there before, and it was that mail which came.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from tests.bench import busy, suite
from tests.bench.bytes import PACKET, settled
from tests.bench.dovecot import Dovecot, dovecot
from tests.bench.looking import POLLS, SHORT, Found, at_dovecot, at_postbell
from tests.bench.result import Chart, Result, Table, agree, exponent, shown
from tests.bench.sizing import letter
from tests.support.counting_link import CountingLink

if TYPE_CHECKING:
    from tests.bench.result import Cell
    from tests.bench.suite import Options
    from tests.support.counting_link import Count

NOTICE_S, RENEWALS_MIN, POLLS_MIN, PINGS_MIN = 120, (9, 29), (1, 2, 5), (1, 5, 15, 30)
FOUND_MIN, FIRST_MIN, FACTOR = 29, 4.0, 1.5
RING = 1000
"""`retain.count` of the Postbell here."""


def searching() -> int:
    """Pings in the first hour on a new network: waits from FIRST_MIN on, each longer by FACTOR, up to FOUND_MIN."""
    pings, wait, passed = 0, FIRST_MIN, FIRST_MIN
    while passed <= 60:
        pings, wait = pings + 1, min(wait * FACTOR, FOUND_MIN)
        passed += wait
    return pings


def whole(count: Count) -> int:
    """Bytes with IPv4 and TCP."""
    return count.up + count.down + PACKET * count.packets


def hours(found: Found) -> list[list[Cell]]:
    """An idle hour of each, and how long a mail waits."""
    rows: list[list[Cell]] = []
    renewals = 60 / RENEWALS_MIN[0]

    def add(name: str, times: float, what: str, waits: str) -> None:
        one, idle = found.idle[what], found.idle["IDLE"]
        figures = [one.up + one.down, whole(one), one.packets, one.trips + one.connections]
        bare = times * figures[0] / (renewals * (idle.up + idle.down))
        ratio = f"{shown(bare)} · {shown(times * whole(one) / (renewals * whole(idle)))}"
        rows.append([name, *(round(times * figure) for figure in figures), round(times, 1), ratio, waits])

    for protocol in POLLS:
        for minutes in POLLS_MIN:
            add(
                f"{protocol}, polled each {minutes} min",
                60 / minutes,
                protocol,
                f"{minutes * 30} s, at most {minutes * 60} s",
            )
    waits = f"{median(found.notice_s['IDLE']):.2f} s"
    for minutes in RENEWALS_MIN:
        add(f"IMAP IDLE, renewed each {minutes} min", 60 / minutes, "IDLE", waits)
    add(f"… and Dovecot's notice each {NOTICE_S // 60} min", 3600 / NOTICE_S, "notice", "")
    waits = f"{median(found.notice_s['Postbell']):.2f} s"
    for minutes in PINGS_MIN:
        add(f"Postbell, keepalive {minutes} min", 60 / minutes, "Postbell", waits)
    add("Postbell, adaptive, first hour on a network", searching(), "Postbell", waits)
    add(f"Postbell, adaptive, {FOUND_MIN} min found", 60 / FOUND_MIN, "Postbell", waits)
    return rows


def growth(options: Options, server: Dovecot) -> tuple[Table, Chart]:
    """One poll without mail, with more and more mails in the mailbox; and a ping."""
    sizes = [3, 10, 30] if options.small else [10, 100, 1000, 10_000]
    bytes_of: dict[str, list[float | None]] = {name: [] for name in (*POLLS, "Postbell")}
    rows: list[list[Cell]] = []
    for size in options.steps("polling, mailbox grows", sizes):
        user = f"box{size}"
        server.deliver(user, (letter(number, 600) for number in range(size)))
        row: list[Cell] = [f"{size:,}"]
        for name, poll in POLLS.items():
            with CountingLink(server.pop3s if name == "POP3" else server.imaps) as link:
                poll(link.port, server.authority, user, size)
                before, used_s = settled(link), server.used_s()
                for _ in range(5):
                    agree(f"a poll over {name}", size, mails=poll(link.port, server.authority, user, size))
                count = settled(link) - before
            bytes_of[name].append(whole(count) / 5)
            row += [whole(count) / 5, count.packets / 5, 1000 * (server.used_s() - used_s) / 5]
        found = Found({}, {}, {})
        at_postbell(found, there=min(size, RING), times=1)
        bytes_of["Postbell"].append(whole(found.idle["Postbell"]))
        rows.append([*row, whole(found.idle["Postbell"]), whole(found.mail["Postbell"])])
    powers = {name: exponent(sizes, values) for name, values in bytes_of.items()}  # type: ignore[arg-type]
    note = "Bytes grow with the mailbox to the power of " + ", ".join(f"{p:.2f} ({name})" for name, p in powers.items())
    note += (
        f". A mail at Postbell is dearer where the ring of {RING:,} is full: the tombstone of the oldest comes with it"
    )
    note += "; it holds no more, so what is larger was measured at that size"
    columns = [
        "mails in the mailbox",
        *(f"{name}: {what}" for name in POLLS for what in ("bytes", "packets", "server ms")),
    ]
    columns += ["Postbell: a ping", "a mail"]
    table = Table(
        "One poll without new mail, in a mailbox that grows (bytes with IPv4 and TCP)", columns, rows, note + "."
    )
    return table, Chart(
        "polling-growth",
        "Bytes of one look for mail",
        list(sizes),
        bytes_of,
        "mails in the mailbox",
        "bytes",
        logarithmic=True,
    )


def measure(options: Options) -> Result:
    """Everything."""
    found, times, there = Found({}, {}, {}), 2 if options.small else 9, 10
    with dovecot(notice_s=2) as server:
        server.deliver("alice", (letter(number, 600) for number in range(there)))
        for step in options.steps(
            "polling, one mail", (lambda: at_dovecot(server, "alice", there, found, times=times),)
        ):
            step()
        grown, chart = growth(options, server)
    at_postbell(found, there=there, times=times)
    with dovecot() as server:
        crowded = busy.measure(options, server)
    return told(found, there, [grown, *crowded], chart)


ABOUT = """
A poll is a connection with TLS, a login and a look, as phones make one (POP3: UIDL; IMAP: STATUS); what is new is
looked at as a list shows it (POP3: TOP; IMAP: header fields and PREVIEW). IDLE and Postbell wait on one connection.
"""
CONDITIONS = """
TLS 1.3; {there} mails in the mailbox, a new one of 4 KB. With IPv4 and TCP: {packet} bytes more for each packet that
the kernel counted. An hour is one poll, ping or renewal times their number; Dovecot's notice ("Still here", by default
every two minutes) was brought forward to be measured. A wake-up is a moment at which the radio has to be on. A mail
that is polled for waits half an interval on average. Adaptive: waits from {first:.0f} min on, each longer by
{factor:g}, up to {found} min.
"""


NOTE = """
The mail of 4 KB has a subject of 70 characters and fills the 200 of the preview, which IDLE and Postbell both have to
carry: no protocol could make less than a third of it. Headers alone: a device that is subscribed to the headers, and
to the digest only while it connects.
"""


def told(found: Found, there: int, others: list[Table], grown: Chart) -> Result:
    """All tables and charts."""
    mails: list[list[Cell]] = []
    for name, c in sorted(found.mail.items(), key=lambda each: each[0].endswith(SHORT)):
        idle = found.mail["IDLE" + SHORT * name.endswith(SHORT)]
        ratios = (c.up + c.down) / (idle.up + idle.down), whole(c) / whole(idle)
        mails.append([name, c.up + c.down, whole(c), c.packets, c.trips + c.connections, *ratios])
    rows = hours(found)
    octets = {str(name): float(whole_octets) for name, _, whole_octets, *_ in rows if isinstance(whole_octets, int)}
    ratio = f"÷ IDLE at {RENEWALS_MIN[0]} min: bytes · with TCP"
    columns = ["", "bytes", "with IPv4 and TCP", "packets", "round trips", "wake-ups", ratio, "a mail waits"]
    one = ["", "bytes", "with IPv4 and TCP", "packets", "round trips", "bytes ÷ IDLE", "with TCP ÷ IDLE"]
    hour = Chart(
        "polling-hour", "Bytes of an idle hour, with IPv4 and TCP", list(octets), {"bytes": list(octets.values())}
    )
    return Result(
        suite="polling",
        title="Push against polling",
        about=" ".join(ABOUT.split()),
        conditions=" ".join(
            CONDITIONS.format(there=there, packet=PACKET, first=FIRST_MIN, factor=FACTOR, found=FOUND_MIN).split()
        ),
        tables=[
            Table("One new mail", one, mails, " ".join(NOTE.split())),
            Table("An idle hour, and how long a mail waits", columns, rows),
            *others,
        ],
        charts=[replace(hour, logarithmic=True), grown],
    )


if __name__ == "__main__":
    sys.exit(suite.main(measure))

"""One mail through two bridges at once is one mail, and writers of the same boxes do not get into one another's way.

    python -m tests.bench.retries [--pairs 2000] [--writers 8] [--mails 100]

A pair is one mail that is handed in at both bridges at the same moment: it has to get one id, one row, one header and
one ring. Then so many writers hand in mail for the same ten users at both: of each writer's mails the later one has to
have the higher number in each box, and PostgreSQL may tell of no deadlock.
"""

from __future__ import annotations

import argparse
import smtplib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.bench.onlooker import Onlooker
from tests.bench.result import MiscountError, agree
from tests.bench.several_bridges import several
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.several_bridges import Several
    from tests.support.shared_store import NodeSystem

BOXES = 10
AT_ONCE = 8
"""Pairs that are under way."""
ORDER = """
SELECT writer, user_id, array_agg(number ORDER BY mail) FROM (
    SELECT split_part(told, '-', 1) AS writer, user_id, number, CAST(split_part(told, '-', 2) AS integer) AS mail
    FROM (SELECT trim(both '<>' from message_id) AS told, * FROM message) m WHERE told LIKE '%-writer'
) w GROUP BY writer, user_id
"""


class Mouth:
    """A sender's connection to a bridge."""

    def __init__(self, node: NodeSystem) -> None:
        host, _, port = str(node.facts("bridge")["smtp"]).rpartition(":")
        self.smtp = smtplib.SMTP(host, int(port), timeout=60)
        self.smtp.ehlo("test.example")

    def hand_in(self, message_id: str, recipients: Sequence[str]) -> str:
        """The id in the 250; raises MiscountError for anything else."""
        self.smtp.mail("a@example.net")
        for recipient in recipients:
            self.smtp.rcpt(recipient)
        code, answer = self.smtp.data(f"Subject: x\r\nMessage-ID: <{message_id}>\r\n\r\nx\r\n".encode())
        if code != 250:
            raise MiscountError(f"no figure: {message_id}: {code} {answer!r}")
        return answer.split()[1].decode()


def pairs(running: Several, count: int) -> None:
    """Hand so many mails in at both bridges at once; raises MiscountError."""
    login = ("looker", running.passwords["looker"])
    with Onlooker(("127.0.0.1", running.broker.port), "mail/#", login=login) as seen:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = list(threads.map(lambda part: _pairs(running, part, count), range(AT_ONCE)))
        ids = [each for part in found for each in part]
        agree("pairs with one id", count, mails=len(ids), alike=sum(one == other for one, other in ids))
        until(lambda: min(map(len, _told(seen))) >= count, what="all headers and rings")
        running.store.drained()
        [(rows,)] = running.store.rows("SELECT count(*) FROM message WHERE message_id LIKE '%-pair%'")
        headers, rings = _told(seen)
        agree("pairs", count, rows=rows, headers=len(headers), different=len(set(headers)), rings=len(rings))


def _told(seen: Onlooker) -> tuple[list[str], list[str]]:
    """The topics of headers, and of rings, as often as there was one."""
    topics = seen.topics()
    return [each for each in topics if "/msg/" in each], [each for each in topics if each.endswith("/event")]


def _pairs(running: Several, part: int, count: int) -> list[tuple[str, str]]:
    """Every so-manieth pair: both ids of each."""
    mouths = [Mouth(node) for node in running.nodes[:2]]
    found = []
    with ThreadPoolExecutor(2) as both:
        for number in range(part, count, AT_ONCE):
            at_once = threading.Barrier(2)

            def one(mouth: Mouth, number: int = number, at_once: threading.Barrier = at_once) -> str:
                at_once.wait()
                return mouth.hand_in(f"{number}-pair", [f"user{number % 64}@example.org"])

            first, second = both.map(one, mouths)
            found.append((first, second))
    return found


def writers(running: Several, count: int, mails: int) -> None:
    """Have so many writers hand in so many mails each, all for the same users; raises MiscountError."""
    boxes = [f"user{number}@example.org" for number in range(BOXES)]

    def write(writer: int) -> None:
        mouths = [Mouth(node) for node in running.nodes]
        for mail in range(mails):
            turned = boxes[(writer + mail) % BOXES :] + boxes[: (writer + mail) % BOXES]
            mouths[mail % len(mouths)].hand_in(f"{writer}-{mail}-writer", turned)

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(write, range(count)))
    require_order(running, count, mails)


def require_order(running: Several, count: int, mails: int) -> None:
    """Raises MiscountError unless the mails of each writer are in their order in each box, and none was in the way."""
    rows = running.store.rows(ORDER)
    in_order = sum(list(numbers) == sorted(numbers) and len(numbers) == mails for _, _, numbers in rows)
    agree("boxes of writers", count * BOXES, boxes=len(rows), in_order=in_order)
    log = (running.server.directory / "log").read_text(encoding="utf-8", errors="replace")
    agree("deadlocks", 0, told=log.count("deadlock detected"))


def main(arguments: list[str]) -> int:
    """All of it; 1 where anything does not agree."""
    parser = argparse.ArgumentParser(prog="retries", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--mails", type=int, default=100)
    given = parser.parse_args(arguments)
    try:
        with several(2, addresses=0, log="warning") as running:
            pairs(running, given.pairs)
            writers(running, given.writers, given.mails)
    except MiscountError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{given.pairs} pairs: one id, one header and one ring each\n")
    sys.stdout.write(f"{given.writers} writers, {given.mails} mails each for {BOXES} users: in order, no deadlock\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

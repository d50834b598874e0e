r"""From `STORE +FLAGS \Seen` in a mail client to the tombstone on a device, beside a client that polls each minute.

    python -m tests.bench.mailbox [TIMES]

A real Dovecot over TLS and a whole Postbell. All marks are made in one run of some two minutes; both are told of the
same ones. What the poller misses until the end counts with what it has waited by then.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from tests.bench.dovecot import dovecot
from tests.support.mailbox import ALICE, MailClient, Phone, follow, letter
from tests.support.system import System
from tests.support.waiting import until

POLL_S = 60.0


class Poller(threading.Thread):
    """A client that asks each minute what is unseen."""

    def __init__(self, client: MailClient) -> None:
        super().__init__(daemon=True)
        self._client = client
        self.found: dict[str, float] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(POLL_S):
            now = time.monotonic()
            for name, seen in self._client.seen().items():
                if seen:
                    self.found.setdefault(name, now)


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def main(times: int) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        dovecot() as server,
        System(Path(directory), POSTBELL_IMAP__CA_FILE=str(server.authority)) as system,
    ):
        login = system.add("alice")
        system.serve()
        for number in range(1, times + 1):
            system.send(letter(number), ALICE)
        server.deliver("alice", [letter(number) for number in range(1, times + 1)])
        follow(system, server)
        client, phone = MailClient(server), Phone(system, login)
        poller = Poller(MailClient(server))
        until(lambda: len(phone.shown) == times, what="the phone to show all")
        poller.start()
        pushed: list[float] = []
        marked: dict[str, float] = {}
        dice = random.Random(1)
        for number in range(1, times + 1):
            name = f"number {number}"
            before = len(phone.ids)
            uid = client.uid(number)
            begun = marked[name] = time.monotonic()
            client.imap.uid("STORE", uid, "+FLAGS", r"(\Seen)")
            while len(phone.ids) == before:
                time.sleep(0.0005)
            pushed.append(time.monotonic() - begun)
            time.sleep(dice.random() * 2 * 1.9 * POLL_S / times)
        until(lambda: len(poller.found) == times, what="the poller to have found all", patience_s=2 * POLL_S)
        polled = [poller.found[name] - begun for name, begun in marked.items()]
        phone.close()
    for what, waits in (("Postbell", pushed), ("polling each minute", polled)):
        p50, p99 = median(waits) * 1000, percentile(waits, 0.99) * 1000
        sys.stdout.write(f"{what}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, of {times} marks\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)

"""Random steps on both sides of a mailbox that is followed, with kills of bridge, Dovecot and link: do both agree?

A mail is read, unread, moved and deleted by a mail client that others wrote, and read and unread on a device; in
between the bridge is killed, Dovecot stopped, and the connection between them reset. Behind all that:
- what is in the mailbox is seen on both sides, or on neither;
- what is not there any more is shown by no device, unless that device asked for it;
- what nobody read, moved or deleted is unseen;
- where only one side ever said something, its last word holds; of a device that is what it said to a bridge that ran,
  since nobody repeats here what was not answered.
"""

from __future__ import annotations

import argparse
import imaplib
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.contract.header import unpack_header
from bridge.store import offline
from tests.bench.dovecot import NO_QRESYNC, PASSWORD, dovecot
from tests.crash.mailbox_faults import FAULTS
from tests.support.cuttable import Cuttable
from tests.support.mailbox import ALICE, MailClient, Phone, letter
from tests.support.system import System
from tests.support.waiting import PATIENCE_S, free_port, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

MOST_MAILS = 25
SPOKEN_S = 0.5
"""What a bridge said before it was killed is carried out meanwhile: later it would be taken for somebody's word."""


@dataclass
class Fate:
    """What was done to one mail."""

    mail_id: str
    words: list[tuple[str, bool]] = field(default_factory=list)
    """Who said that it is seen, or not, in their order."""
    gone: bool = False


class Story:
    """One run. `mutation` names what is broken in the bridge, `settings` are more of Dovecot's."""

    def __init__(self, directory: Path, *, seed: int, mutation: str = "", settings: str = "") -> None:
        self._random = random.Random(seed)
        self._directory = directory
        self._mutation = mutation
        self._settings = settings
        self.fates: dict[int, Fate] = {}
        self.kills = 0

    def run(self, steps: int) -> list[str]:
        """What is wrong in the end; nothing, if all is as it should be."""

        def play() -> list[str]:
            for _ in range(steps):
                self._step()
            return self._judge()

        return self._played(play)

    def run_echo(self) -> list[str]:
        """The same of the one story in which an own word cannot but come back as if a mail client had said it."""
        return self._played(self._echo)

    def run_source(self, mails: int) -> list[str]:
        """Mail that comes into the mailbox alone is kept and shown once, while the bridge, Dovecot and link die."""
        return self._played(lambda: self._source(mails), "--source")

    def _played(self, play: Callable[[], list[str]], *options: str) -> list[str]:
        with ExitStack() as stack:
            self._server = stack.enter_context(dovecot(more=self._settings))
            self._link = stack.enter_context(Cuttable(lambda: ("127.0.0.1", self._server.imaps)))
            self._system = stack.enter_context(
                System(
                    self._directory,
                    POSTBELL_BROKER__LISTEN=f"127.0.0.1:{free_port()}",
                    POSTBELL_IMAP__CA_FILE=str(self._server.authority),
                )
            )
            login = self._system.add("alice")
            self._system.start("broker")
            until(lambda: self._system.facts("broker").get("mqtt"), what="the broker")
            self._start_bridge()
            self._server.deliver("alice", [])
            self._add_mailbox(*options)
            self._phone = Phone(self._system, login)
            stack.callback(self._phone.close)
            self._client: MailClient | None = None
            for _ in range(0 if options else 6):
                self._mail()
            return play()

    # --- what happens -----------------------------------------------------------------------------

    def _step(self) -> None:
        self._revive()
        does = self._random.choices(
            [
                *(self._mail, self._read, self._ask, self._change_mind, self._go),
                *(self._kill_bridge, self._stop_server, self._cut, self._rest),
            ],
            [4, 10, 12, 4, 2, 1, 0.5, 2, 6],
        )[0]
        does()

    def _mail(self) -> None:
        number = len(self.fates) + 1
        if number > MOST_MAILS:
            return
        with suppress(OSError, KeyError):
            self.fates[number] = Fate(self._system.send(letter(number), ALICE))
            self._server.deliver("alice", [b"Return-Path: <bob@example.net>\r\n" + letter(number)])

    def _some(self, who: str = "") -> int | None:
        """A mail that is still there; of each three one side alone says something to one, the other to one."""
        silent = {"client": 0, "device": 1}.get(who)
        there = [number for number, fate in self.fates.items() if not fate.gone and number % 3 != silent]
        return self._random.choice(there or [None])

    def _read(self) -> None:
        number, seen = self._some("client"), self._random.random() < 0.6
        if number is not None and (client := self._mail_client()) is not None:
            with suppress(imaplib.IMAP4.error, OSError, AssertionError):
                if client.uid(number):
                    client.mark(number, on=seen)
                    self.fates[number].words.append(("client", seen))

    def _ask(self) -> None:
        number = self._some("device")
        for _ in range(self._random.choice([1, 1, 2, 3])):
            if number is not None:
                seen = self._random.random() < 0.5
                self._phone.say(f"{'seen' if seen else 'unseen'} {self.fates[number].mail_id}")
                self.fates[number].words.append(("device", seen))

    def _change_mind(self) -> None:
        """A device says that a mail is seen, and when the mailbox may know, that it is not."""
        number = self._some("device")
        if number is not None:
            for seen in (True, False):
                self._phone.say(f"{'seen' if seen else 'unseen'} {self.fates[number].mail_id}")
                self.fates[number].words.append(("device", seen))
                time.sleep(0.3)

    def _go(self) -> None:
        number = self._some()
        if number is None or number % 3 == 0 or not self._known(number) or (client := self._mail_client()) is None:
            return
        with suppress(imaplib.IMAP4.error, OSError, AssertionError):
            if not client.uid(number):
                return
            if self._random.random() < 0.5:
                client.move(number, "Trash")
            else:
                client.mark(number, r"(\Deleted)")
                client.imap.expunge()
            self.fates[number].gone = True

    def _known(self, number: int) -> bool:
        """Whether it was found in the mailbox: what goes before that is not missed."""
        from bridge.contract import ids

        with offline.reading(self._system.state_dir / "postbell.db") as connection:
            query = "SELECT 1 FROM counterpart WHERE number = ?"
            return connection.execute(query, (ids.decode(self.fates[number].mail_id),)).fetchone() is not None

    def _kill_bridge(self) -> None:
        self.kills += 1
        self._system.stop(self._bridge, signal.SIGKILL)
        self._cut()
        time.sleep(SPOKEN_S)
        self._start_bridge()

    def _stop_server(self) -> None:
        self.kills += 1
        self._forget_client()
        self._server.stop()
        self._server.start()

    def _cut(self) -> None:
        self._link._call(self._link._proxy.cut)

    def _rest(self) -> None:
        time.sleep(self._random.choice([0.0, 0.05, 0.3]))

    def _echo(self) -> list[str]:
        """The bridge dies behind its first word to the mailbox; a device changes its mind before the two meet again."""
        number = 3
        until(lambda: self._known(number), what="the mail to be found in the mailbox")
        self._system.stop(self._bridge, signal.SIGKILL)
        self._start_bridge(dying="dies_behind_its_first_word")
        self._ask_until(number, seen=True, what="the bridge to die", holds=lambda: self._bridge.poll() is not None)
        self._server.stop()
        self._start_bridge(dying="")
        self._ask_until(number, seen=False, what="it to be unseen here", holds=lambda: not self._seen_here(number))
        self._server.start()
        return self._agreement()

    def _source(self, mails: int) -> list[str]:
        """Many are of several pieces; half have no Message-ID, by which a second copy would be known."""
        wanted = [f"number {number}" for number in range(1, mails + 1)]
        for number in range(1, mails + 1):
            size = self._random.choice([10, 200_000, 600_000])
            self._server.deliver("alice", [letter(number, size=size, message_id=number % 2 == 0)])
            time.sleep(self._random.random() * 0.3)
            self._random.choice([self._kill_at_once, self._kill_at_once, self._stop_server, self._cut, self._rest])()
        findings: list[str] = []

        def arrived() -> bool:
            findings[:] = self._wrongly_fetched(wanted)
            return not findings

        with suppress(AssertionError):
            until(arrived, what="all mails to be fetched")
            time.sleep(1.0)  # so that nothing comes once more
            arrived()
        return findings

    def _kill_at_once(self) -> None:
        """What it was about to say does not matter: nobody says anything."""
        self.kills += 1
        self._system.stop(self._bridge, signal.SIGKILL)
        self._start_bridge(dying="")

    def _wrongly_fetched(self, wanted: list[str]) -> list[str]:
        client = MailClient(self._server)
        try:
            read = [name for name, seen in client.seen().items() if seen]
        finally:
            client.close()
        with offline.reading(self._system.state_dir / "postbell.db") as connection:
            kept = sorted(unpack_header(row[0]).subject for row in connection.execute("SELECT header FROM message"))
        found = [f"{name} is seen, and nobody read it" for name in read]
        if kept != sorted(wanted):
            found.append(f"kept are {kept}")
        if self._phone.shown != set(wanted) or len(self._phone.shown_ever) > len(wanted):
            found.append(f"shown are {self._phone.shown}, and {len(self._phone.shown_ever)} times something")
        return found

    def _ask_until(self, number: int, *, seen: bool, what: str, holds: Callable[[], bool]) -> None:
        """A device says it until something holds, as devices do that get no answer."""
        self.fates[number].words.append(("device", seen))

        def asked() -> bool:
            self._phone.say(f"{'seen' if seen else 'unseen'} {self.fates[number].mail_id}")
            return holds()

        until(asked, what=what)

    def _seen_here(self, number: int) -> bool:
        from bridge.contract import ids

        with offline.reading(self._system.state_dir / "postbell.db") as connection:
            query, mail_id = "SELECT seen FROM message WHERE number = ?", self.fates[number].mail_id
            return bool(connection.execute(query, (ids.decode(mail_id),)).fetchone()[0])

    # --- the parts --------------------------------------------------------------------------------

    def _start_bridge(self, *, dying: str | None = None) -> None:
        if dying is None:
            dying = "dies_behind_a_word" if self._random.random() < 0.5 else ""
        named = [self._mutation, dying]
        self._system.environment["CRASH_MUTATION"] = ",".join(filter(None, named))
        self._bridge: subprocess.Popen[bytes] = self._system.start("bridge", module="tests.crash.entry")
        until(lambda: self._system.facts("bridge").get("smtp") or self._bridge.poll(), what="the bridge")

    def _revive(self) -> None:
        """Start a bridge that died by itself."""
        if self._bridge.poll() is not None:
            self.kills += 1
            self._start_bridge()

    def _add_mailbox(self, *options: str) -> None:
        secret = self._directory / "password"
        secret.write_text(PASSWORD + "\n")
        url = f"imaps://localhost:{self._link.port}"
        self._system.run("mailbox", "add", "alice", url, "--login", "alice", "--password-file", str(secret), *options)

    def _mail_client(self) -> MailClient | None:
        if self._client is None:
            with suppress(imaplib.IMAP4.error, OSError, AssertionError):
                self._client = MailClient(self._server)
                self._client.imap.create("Trash")
        return self._client

    def _forget_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    # --- the end ----------------------------------------------------------------------------------

    def _judge(self) -> list[str]:
        self._random.random = lambda: 1.0  # nobody dies any more
        self._kill_bridge()
        self._change_every_mind()
        self._kill_bridge()
        return self._agreement()

    def _agreement(self) -> list[str]:
        """What both sides do not agree on, when they have had the time to."""
        self._forget_client()
        findings: list[str] = []

        def agreed() -> bool:
            findings[:] = self._findings()
            return not findings

        with suppress(AssertionError):
            until(agreed, what="both sides to agree", patience_s=PATIENCE_S / 4 if self._mutation else PATIENCE_S)
            time.sleep(1.0)  # so that nothing is on its way that undoes it
            agreed()
        return findings

    def _change_every_mind(self) -> None:
        """A device says of mails of which no client speaks that they are seen; then, that they are not.

        It says so until the mailbox knows, as a device does that gets no answer; a broken bridge may never tell it.
        """
        self._forget_client()
        client = MailClient(self._server)
        silent = [number for number in self.fates if number % 3 == 0]
        until(lambda: self._system.facts("bridge").get("connected"), what="the bridge to be connected")
        try:
            for seen in (True, False):
                for number in silent:
                    self.fates[number].words.append(("device", seen))
                for _ in range(5 if self._mutation else 60):
                    for number in silent:
                        self._phone.say(f"{'seen' if seen else 'unseen'} {self.fates[number].mail_id}")
                    time.sleep(1.0)
                    if _all_seen(client, silent, seen=seen):
                        break
        finally:
            client.close()

    def _findings(self) -> list[str]:
        client = MailClient(self._server)
        try:
            there = client.seen()
        finally:
            client.close()
        with offline.reading(self._system.state_dir / "postbell.db") as connection:
            rows = connection.execute("SELECT number, seen FROM message").fetchall()
        from bridge.contract import ids

        here = {ids.encode(number): bool(seen) for number, seen in rows}
        found = []
        for number, fate in self.fates.items():
            name, seen = f"number {number}", here.get(fate.mail_id)
            says = {who for who, _ in fate.words}
            if fate.gone:
                if name in there:
                    found.append(f"{name} is back in the mailbox")
                if not seen and ("device", False) not in fate.words:
                    found.append(f"{name} is gone from the mailbox, and unseen here")
                continue
            if seen != there.get(name):
                found.append(f"{name} is {seen} here and {there.get(name)} there: {fate.words}")
            if seen and ("client", True) not in fate.words and ("device", True) not in fate.words:
                found.append(f"{name} is seen, and nobody read it")
            alone = says == {"client"} or number % 3 == 0
            if alone and fate.words and seen != fate.words[-1][1]:
                found.append(f"{name} is {seen}, and the last word was another: {fate.words}")
        shown = self._phone.shown
        found += [
            f"number {number} is shown wrongly"
            for number, fate in self.fates.items()
            if (f"number {number}" in shown) is bool(here.get(fate.mail_id))
        ]
        return found


def _all_seen(client: MailClient, numbers: list[int], *, seen: bool) -> bool:
    there = client.seen()
    return all(there.get(f"number {number}") is seen for number in numbers)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.mailbox", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--mutation", default="", choices=["", *FAULTS])
    parser.add_argument("--no-qresync", action="store_true", help="Dovecot does not say which mails are gone")
    parser.add_argument(
        "--source", action="store_true", help="STEPS mails come into the mailbox alone, and are fetched"
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        settings = NO_QRESYNC if given.no_qresync else ""
        story = Story(Path(directory), seed=given.seed, mutation=given.mutation, settings=settings)
        begun = time.monotonic()
        findings = story.run_source(given.steps) if given.source else story.run(given.steps)
        took = time.monotonic() - begun
        mails = given.steps if given.source else len(story.fates)
        said = f"seed {given.seed}: {given.steps} steps, {story.kills} kills, {mails} mails, {took:.0f} s"
        sys.stdout.write("\n".join([said, *findings, "both agree" if not findings else "they do not agree"]) + "\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

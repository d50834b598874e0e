"""What waits for Postbell in the queues of mail servers, asked with their own programs."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.daemon.mail_servers import program
from bridge.directory import COPY_DOMAIN, PROBES
from bridge.doctor.judge.mta import Waiting
from bridge.doctor.look.programs import ProgramSaid, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ASK_S: Final = 3.0
ON_ITS_WAY_S: Final = 300.0
"""A mail of which no reason is told may be in its first try, but no longer than that."""
MOST_ASKED: Final = 20
"""Of so many mails in Exim's queue it is asked why they wait: a process for each."""
DOWN: Final = "mail system is down"
STOPPED: Final = {"hold": "it is on hold", "maildrop": "nobody takes it up"}
"""Why mail waits in some of Postfix's queues, which tell no reason."""
EXIM_AGE: Final = {"m": 60, "h": 3600, "d": 86400}
EXIM_MAIL: Final = re.compile(r"^\s*(\d+)([mhd])\s+\S+\s+(\S+-\S+-\S+) <(.*)>")
EXIM_DEFERRED: Final = re.compile(r"R=postbell\S* T=postbell defer (?:\(.*?\):? ?)?(.*)")


@dataclass(frozen=True, slots=True)
class Queued:
    """A mail in a queue, for one recipient of it: its id there, when it came in Unix seconds, and why it waits."""

    id: str
    recipient: str
    came_s: float
    reason: str

    @property
    def probe(self) -> bool:
        """Whether it is a doctor's own."""
        return self.recipient.startswith(PROBES)


class UnaskedError(Exception):
    """A queue cannot be looked at; the text says why."""


def waiting(server: str, directory: str, *, now_s: float) -> Waiting:
    """What waits for Postbell, but for what a doctor has sent."""
    if down(server, directory):
        return Waiting(down=True)
    try:
        found, whole = entries(server, directory, now_s=now_s)
    except UnaskedError as error:
        return Waiting(refused=str(error))
    late = [each for each in found if not each.probe and (each.reason or now_s - each.came_s > ON_ITS_WAY_S)]
    if not late:
        return Waiting(whole=whole)
    late.sort(key=lambda each: each.came_s)
    reason = next((each.reason for each in reversed(late) if each.reason), "it does not say why")
    return Waiting(len(late), now_s - late[0].came_s, reason, whole=whole)


def down(server: str, directory: str) -> bool:
    """Whether a server is known not to run, which of Postfix alone is to be known: root asks it, others its queue."""
    if server != "postfix":
        return False
    try:
        if os.geteuid() == 0:
            said = _asked("postfix", "-c", directory, "status")
            return said.whole and said.code != 0
        return DOWN in _asked(*QUEUES[server][0](directory)).said
    except UnaskedError:
        return False


def entries(server: str, directory: str, *, now_s: float) -> tuple[list[Queued], bool]:
    """The mail for Postbell in a queue, and whether all of it was looked through; raises UnaskedError."""
    asked, read = QUEUES[server]
    answer = _asked(*asked(directory))
    if answer.code != 0 and answer.whole:
        raise UnaskedError(f"its queue cannot be asked: {answer.last}")
    return list(read(answer.said, now_s)), answer.whole


def flush(server: str, directory: str) -> str:
    """The command that has a server try its queue now."""
    if server == "exim":
        return "sudo exim4 -qff"
    return "sudo smtpctl schedule all" if server == "opensmtpd" else f"postqueue -c {directory} -f"


def removal(server: str, directory: str, queued: str) -> tuple[str, ...]:
    """The command that takes a mail out of a queue, as root."""
    if server == "exim":
        return "exim4", "-Mrm", queued
    return ("smtpctl", "remove", queued) if server == "opensmtpd" else ("postsuper", "-c", directory, "-d", queued)


def _asked(name: str, *words: str) -> ProgramSaid:
    path = program(name)
    if path is None:
        raise UnaskedError(f"its program {name} is not on this machine")
    try:
        return ask((path, *words), within_s=ASK_S)
    except OSError as error:
        raise UnaskedError(f"its queue cannot be asked: {error.strerror}") from error


def postfix(said: str, _now_s: float) -> Iterator[Queued]:
    """What `postqueue -j` says: a JSON object for each mail (postqueue(1))."""
    for line in said.splitlines():
        try:
            mail = json.loads(line)
        except ValueError:
            continue  # a warning, or the line at which it was ended
        stopped = STOPPED.get(mail.get("queue_name"), "")
        for recipient in mail.get("recipients", ()):
            if recipient["address"].endswith(f"@{COPY_DOMAIN}"):
                reason = recipient.get("delay_reason") or stopped
                yield Queued(mail["queue_id"], recipient["address"], mail["arrival_time"], reason)


def opensmtpd(said: str, _now_s: float) -> Iterator[Queued]:
    """What `smtpctl show queue` says: fields between bars (smtpctl(8))."""
    for line in said.splitlines():
        fields = line.split("|")
        if len(fields) > 12 and fields[6].endswith(f"@{COPY_DOMAIN}"):
            yield Queued(fields[0], fields[6], float(fields[7]), fields[-1])


def exim(said: str, now_s: float) -> Iterator[Queued]:
    """What `exim4 -bp` says, and for the first of them their logs: a copy has the address of the mail itself."""
    mails = [match for line in said.splitlines() if (match := EXIM_MAIL.match(line))]
    for mail in mails[:MOST_ASKED]:
        log = _asked("exim4", "-Mvl", mail[3]).said
        reasons = [match[1] for line in log.splitlines() if (match := EXIM_DEFERRED.search(line))]
        probe = next((word for word in log.split() if word.startswith(PROBES)), "")
        if reasons or probe:
            reason = reasons[-1] if reasons else ""
            yield Queued(mail[3], probe, now_s - int(mail[1]) * EXIM_AGE[mail[2]], reason)


QUEUES: Final[dict[str, tuple[Callable[[str], Sequence[str]], Callable[[str, float], Iterable[Queued]]]]] = {
    "postfix": (lambda directory: ("postqueue", "-c", directory, "-j"), postfix),
    "exim": (lambda _directory: ("exim4", "-bp"), exim),
    "opensmtpd": (lambda _directory: ("smtpctl", "show", "queue"), opensmtpd),
}

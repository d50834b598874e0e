"""The probe's mail by way of the mail server: given to it as any program of this machine would, and awaited.

It is addressed as copies are inside the mail server, so that the recipe's route alone brings it here, whoever the
users are. It has no sender, so that nobody hears of it whatever becomes of it. What does not arrive is taken out of
the queue, for which one has to be root; else it waits there until the server tries it again, and is dropped then.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.daemon.mail_servers import NAMES, postconf, program
from bridge.doctor.judge.way import Handed
from bridge.doctor.look import queues
from bridge.doctor.look.programs import ask
from bridge.doctor.probe.post import mail
from bridge.setup.recipe import copy_address
from bridge.store import offline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.doctor.look.deadline import TimeLeft
    from bridge.doctor.look.queues import Queued
    from bridge.doctor.probe.accounts import ThrowAway

HANDS_OVER_S: Final = 5.0
TAKES_S: Final = 3.0
PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Carrier:
    """A mail server of this machine that hands mail over, by the name of its recipe, and where its configuration is."""

    server: str
    directory: str

    def hand_in(self, account: ThrowAway, token: str, *, database: Path | str, patience: TimeLeft) -> Handed:
        """Give it a mail for a throw-away user and wait until Postbell has it; raises OutOfTimeError."""
        name = NAMES[self.server]
        if queues.down(self.server, self.directory):
            return Handed(name, refusal="it does not run")
        if self.server == "exim" and not self._has_route(account.address, patience):
            return Handed(name, refusal="what it is configured by has no router postbell_probe, as the recipe has")
        raw = mail(account.address, token).replace(b"\r\n", b"\n")
        try:
            said = ask(self._sending(copy_address(account.address)), within_s=patience.share_s(TAKES_S), given=raw)
        except OSError as error:
            return Handed(name, refusal=error.strerror or str(error))
        if not said.whole or said.code:
            patience.check()
            return Handed(name, refusal=said.last if said.whole else "no answer")
        give_up_at = time.monotonic() + patience.share_s(HANDS_OVER_S)
        while not _arrived(database, account, token):
            if time.monotonic() >= give_up_at:
                patience.check()
                return self._waiting(name)
            time.sleep(PAUSE_S)
        return Handed(name, arrived=True)

    def clear(self) -> str:
        """Take out of its queue what a doctor has sent; what may be left of it, empty if nothing is."""
        left = self._queued() or []
        if left and os.geteuid() == 0:
            for each in left:
                first, *words = queues.removal(self.server, self.directory, each.id)
                with suppress(OSError):
                    ask((program(first) or first, *words), within_s=TAKES_S)
            left = self._queued() or []
        if not left:
            return ""
        command = " ".join(queues.removal(self.server, self.directory, left[0].id))
        return (
            f"the probe's mail waits in the queue of {NAMES[self.server]}, and is dropped when it is tried again; "
            f"at once: sudo {command}"
        )

    def _has_route(self, address: str, patience: TimeLeft) -> bool:
        """Whether Exim would bring it here: it freezes what it cannot route, and tells its postmaster."""
        command = (program("exim4") or "exim4", "-bt", copy_address(address))
        return "postbell_probe" in ask(command, within_s=patience.share_s(TAKES_S)).said

    def _sending(self, recipient: str) -> Sequence[str]:
        """The command that sends what it is given, from nobody. Only Exim means something else by -N."""
        if self.server == "exim":
            return program("exim4") or "exim4", "-odi", "-i", "-f", "<>", recipient
        own = ("-C", self.directory) if self.server == "postfix" else ()
        sendmail = postconf(self.directory, "-h", "sendmail_path") if own else program("sendmail")
        return sendmail or "sendmail", *own, "-N", "never", "-i", "-f", "<>", recipient

    def _waiting(self, name: str) -> Handed:
        """What became of a mail that did not come in time."""
        found = self._queued()
        if found is None:
            return Handed(name)
        return Handed(name, queued=bool(found), reason=next((each.reason for each in found if each.reason), ""))

    def _queued(self) -> list[Queued] | None:
        """What is in its queue of doctors; None when that is not to be known."""
        try:
            found, _ = queues.entries(self.server, self.directory, now_s=0)
        except queues.UnaskedError:
            return None
        return [each for each in found if each.probe]


def _arrived(database: Path | str, account: ThrowAway, token: str) -> bool:
    with offline.reading(database) as connection:
        row = connection.execute(
            "SELECT 1 FROM message JOIN user USING (user_id) WHERE name = ? AND message_id LIKE ?",
            (account.user, f"%{token}@%"),
        ).fetchone()
    return row is not None

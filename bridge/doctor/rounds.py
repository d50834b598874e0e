"""The round: hop after hop in the order of a mail, each within its time.

A check is made of a look, which finds out facts, and of a judgement over them. To have another one: a
name in `check.py`, facts and judgement in `judge/`, the look in `look/`, and a line here.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from bridge.daemon import runfile
from bridge.doctor.judge import (
    broker,
    certificates,
    clock,
    files,
    listeners,
    mail_events,
    mailboxes,
    mta,
    names,
    push,
    service,
    store,
)
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, unknown
from bridge.doctor.look import broker as broker_look
from bridge.doctor.look import certificates as certificates_look
from bridge.doctor.look import clock as clock_look
from bridge.doctor.look import files as files_look
from bridge.doctor.look import listeners as listeners_look
from bridge.doctor.look import mailboxes as mailboxes_look
from bridge.doctor.look import mta as mta_look
from bridge.doctor.look import names as names_look
from bridge.doctor.look import push as push_look
from bridge.doctor.look import service as service_look
from bridge.doctor.look import store as store_look
from bridge.doctor.look.deadline import TimeLeft, within
from bridge.doctor.probe import probed
from bridge.doctor.probe.handing import Carrier
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.config.settings import Settings
    from bridge.doctor.judge.files import FilesSeen
    from bridge.doctor.judge.service import ServiceSeen
    from bridge.doctor.probe.probed import Probing

TOTAL_S: Final = 20.0
DAMAGE_S: Final = 4.0
HOP_S: Final = 5.0
BROKER_S: Final = 8.0
PUSH_S: Final = 7.0
MAILBOXES_S: Final = 8.0
PUTS_AWAY_S: Final = 4.0
"""What is kept of it for removing what a probe has made."""
PROBE_S: Final = 2.0
"""With less than that left for it, a probe is not begun."""
LATE: Final = f"no time was left of {TOTAL_S:.0f} s"

PROBE_NEEDS: Final = {
    Check.OWNER: "only the owner of the state and root can make throw-away accounts",
    Check.OPENS: "without a database there are no accounts",
    Check.SCHEMA: "the database is of another version",
    Check.WRITABLE: "the database cannot be written",
    Check.BRIDGE: "no bridge runs",
}
"""What a probe cannot do without, and what is said when it has to."""
PUSH_NEEDS: Final = {
    Check.OPENS: "without a database nobody is known",
    Check.SCHEMA: "the database is of another version",
}
"""What a look at push, and at mailboxes, cannot do without."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Some checks that are made of one look, and how long that may take."""

    checks: tuple[Check, ...]
    answer: Callable[[], list[Finding]]
    within_s: float = HOP_S
    here: bool = False
    """To be done in this thread, as what has to be put away afterwards."""


class Round:
    """One round over one installation. `configuration` is the file that the settings are from, None for defaults."""

    def __init__(
        self,
        settings: Settings,
        *,
        configuration: Path | None,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        named: Path | None = None,
        probing: Probing | None = None,
    ) -> None:
        """`named` is the file if it was named at the command, and so has to be whenever one is told what to type.

        Without `probing` it is only looked: nothing is sent, and nobody is made.
        """
        self._settings = settings
        self._configuration = configuration
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._named = named
        self._probing = probing
        self._broken: dict[Check, Finding] = {}
        """The checks that did not come out right, or at all, and what one of them said."""
        self._ends_at = monotonic() + TOTAL_S

    def findings(self) -> Iterator[Finding]:
        """Each finding as it is made: at least one for each check but that of the configuration."""
        for hop in self._hops():
            answers = self._answered(hop)
            self._broken |= {finding.check: finding for finding in answers if finding.ok is not True}
            yield from answers

    def _hops(self) -> tuple[Hop, ...]:
        return (
            Hop(of("user", "files"), lambda: files.judge(self._files)),
            Hop(of("store"), self._store),
            Hop(of("clock"), self._clock),
            Hop(of("service"), lambda: service.judge(self._service)),
            Hop(of("mta"), self._mta),
            Hop(of("listener"), self._listeners),
            Hop(of("certificate"), self._certificates),
            Hop(of("name"), lambda: names.judge(names_look.look(self._settings))),
            Hop(of("broker"), lambda: broker.judge(broker_look.look(self._settings, self._service)), within_s=BROKER_S),
            Hop(of("push"), self._push, within_s=PUSH_S),
            Hop(of("mailbox"), self._mailboxes, within_s=MAILBOXES_S),
            Hop(of("way", "isolation"), self._probe, here=True),
        )

    def _answered(self, hop: Hop) -> list[Finding]:
        left_s = self._ends_at - self._monotonic()
        if left_s <= 0:
            return [unknown(check, LATE) for check in hop.checks]
        try:
            if hop.here:
                return hop.answer()
            return within(min(hop.within_s, left_s), hop.answer, name=f"doctor-{hop.checks[0].hop}")
        except TimeoutError as error:
            return [unknown(check, str(error)) for check in hop.checks]
        except (OSError, PostbellError, sqlite3.Error, subprocess.SubprocessError) as error:
            return [unknown(check, f"it could not be looked at: {error}") for check in hop.checks]

    # --- hops -------------------------------------------------------------------------------------

    @cached_property
    def _files(self) -> FilesSeen:
        return files_look.look(
            self._settings,
            configuration=self._configuration,
            pid=service_look.pid(self._settings, runfile.BRIDGE),
            command=shlex.join(["postbell", *(["--config", str(self._named)] if self._named else []), "doctor"]),
        )

    @cached_property
    def _service(self) -> ServiceSeen:
        return service_look.look(self._settings)

    @property
    def _closed(self) -> bool:
        """Whether there is a state directory that this process may not look into."""
        state = self._files.state
        return self._files.contents is None and (state.place is not None or state.error == files.DENIED)

    def _store(self) -> list[Finding]:
        seen = store.StoreSeen("") if self._closed else store_look.look(self._settings, within_s=DAMAGE_S)
        return store.judge(seen, closed=self._closed)

    def _clock(self) -> list[Finding]:
        return clock.judge(clock_look.look(self._settings.place, now_ms=self._now_ms(), closed=self._closed))

    def _mta(self) -> list[Finding]:
        if self._closed:
            return mta.judge((), none=f"this user cannot look into {self._settings.state_dir}")
        owner = self._files.owner
        seen = mta_look.look(
            self._settings,
            owner="" if owner is None else owner.name,
            configuration=self._named,
            now_s=self._now_ms() / 1000,
        )
        return mta.judge(seen, none="no mail server of this machine was set up by postbell setup")

    def _listeners(self) -> list[Finding]:
        return [listeners.judge(seen) for seen in listeners_look.look(self._settings, self._service)]

    def _certificates(self) -> list[Finding]:
        seen = certificates_look.look(self._settings)
        return certificates.judge(seen, runs_as=self._files.runs_as, now_ms=self._now_ms())

    def _push(self) -> list[Finding]:
        missing = next((why for check, why in PUSH_NEEDS.items() if check in self._broken), "")
        if self._closed or missing:
            return [unknown(check, missing or "this user cannot look into the state") for check in of("push")]
        return push.judge(push_look.look(self._settings))

    def _mailboxes(self) -> list[Finding]:
        missing = next((why for check, why in PUSH_NEEDS.items() if check in self._broken), "")
        if self._closed or missing:
            return [unknown(check, missing or "this user cannot look into the state") for check in of("mailbox")]
        runs_as, owner = self._files.runs_as, self._files.owner
        events = mailboxes_look.events(self._settings, owner="" if owner is None else owner.name)
        return [
            *mailboxes.judge(mailboxes_look.look(self._settings, runs_as=runs_as), runs_as=runs_as),
            *mail_events.judge(events, runs_as=runs_as),
        ]

    def _probe(self) -> list[Finding]:
        if self._probing is None:
            return probed.nothing("no probe was wanted")
        missing = next((why for check, why in PROBE_NEEDS.items() if check in self._broken), "")
        time_left = TimeLeft(self._ends_at - PUTS_AWAY_S, self._monotonic)
        if not missing and time_left.ends_at - self._monotonic() < PROBE_S:
            missing = LATE
        if missing:
            return probed.nothing(missing)
        carriers, unhanded = self._carriers()
        return probed.probe(
            self._settings,
            self._probing,
            carriers=carriers,
            unhanded=unhanded,
            now_ms=self._now_ms,
            time_left=time_left,
        )

    def _carriers(self) -> tuple[list[Carrier], str]:
        """The mail servers by which a mail can be sent here, or why there are none."""
        recipe, socket = (self._broken.get(check) for check in (Check.MTA_RECIPE, Check.MTA_SOCKET))
        if recipe is not None:
            return [], "mta.recipe is broken" if recipe.ok is False else recipe.problem
        if socket is not None and socket.ok is False:
            return [], "mta.socket is broken"
        places = {mta_look.carried_by(*each): None for each in mta_look.servers(self._settings)}
        carriers = [Carrier(*each) for each in places if each[0] != "exim" or os.geteuid() == 0]
        return carriers, "" if carriers else "what Exim could not hand over only root could take out of its queue again"


def of(*hops: str) -> tuple[Check, ...]:
    """The checks of some hops."""
    return tuple(check for check in Check if check.hop in hops)

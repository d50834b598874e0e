"""Mailboxes that are followed, tried as the bridge does it: nothing is changed in them, and nothing is fetched."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.daemon import control, everywhere, mail_servers
from bridge.daemon.mailboxes import context
from bridge.doctor.judge.mail_events import MailEventsSeen
from bridge.doctor.judge.mailboxes import MailboxSeen, MailboxTried
from bridge.doctor.judge.mta import Left
from bridge.doctor.look.files import named
from bridge.errors import in_words
from bridge.imap.errors import ImapError, ImapLoginError, ImapNoError, ImapSecretError
from bridge.imap.following import open_session
from bridge.mailbox.account import SecretKind
from bridge.setup import dovecot_events
from bridge.setup.recipe import MARKS
from bridge.store import mailboxes, offline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.config.settings import Settings
    from bridge.doctor.judge.access import SystemUser
    from bridge.imap.session import ImapSession
    from bridge.mailbox.account import MailAccount, Watched

MOST: Final = 20
"""So many mailboxes are tried; the rest are told to be untried."""
AT_ONCE: Final = 10
ANSWER_S: Final = 3.0
"""Each answer of a server is awaited so long."""
EACH_S: Final = 6.0
"""And all of one mailbox: a program that says a password may take its time."""
ASK_S: Final = 2.0


def look(settings: Settings, *, runs_as: SystemUser | None) -> list[MailboxSeen]:
    """The facts of each mailbox. Raises store errors."""
    with offline.reading(settings.place) as connection:
        watched = mailboxes.watched(connection)
    by_account: dict[MailAccount, list[Watched]] = {}
    for each in watched:
        by_account.setdefault(each.account, []).append(each)
    stopped = _stopped(settings) if watched else None
    return asyncio.run(_all(settings, by_account, stopped, runs_as))


def events(settings: Settings, *, owner: str) -> MailEventsSeen:
    """What Dovecot has to have to say which mailbox changed. Raises store errors."""
    with offline.reading(settings.place) as connection:
        wanted = any(account.events for account in mailboxes.accounts(connection))
    box = settings.imap.events_dir or Path(dovecot_events.BOX)
    return MailEventsSeen(wanted, named("imap.events_dir", box), _left(settings, box, owner) if wanted else ())


def _left(settings: Settings, box: Path, owner: str) -> tuple[Left, ...]:
    directory = mail_servers.directory_of(settings.state_dir / MARKS, dovecot_events.MARK)
    if directory is None:
        return ()
    found = []
    for file in dovecot_events.recipe(owner, box=str(box), directory=directory).files:
        try:
            found.append(Left(file.path, file.text, Path(file.path).read_text("utf-8", "replace")))
        except OSError as error:
            found.append(Left(file.path, file.text, None, error.strerror or str(error)))
    return tuple(found)


def _stopped(settings: Settings) -> Mapping[int, str] | None:
    """Why the bridge that runs does not follow folders, by their ids; None where none runs, or it does not say."""
    if not everywhere.may_answer(settings):
        return None
    with suppress(control.ControlError):
        said = everywhere.folders(settings, deadline_s=ASK_S)
        return {each["folder_id"]: each["reason"] if each["down"] else "" for each in said}
    return None


async def _all(
    settings: Settings,
    by_account: Mapping[MailAccount, Sequence[Watched]],
    stopped: Mapping[int, str] | None,
    runs_as: SystemUser | None,
) -> list[MailboxSeen]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def seen(number: int, account: MailAccount, watched: Sequence[Watched]) -> MailboxSeen:
        async with turns:
            return await _seen(settings, account, watched, stopped, untried=_untried(number, account, runs_as))

    each = [seen(number, account, watched) for number, (account, watched) in enumerate(by_account.items())]
    return list(await asyncio.gather(*each))


def _untried(number: int, account: MailAccount, runs_as: SystemUser | None) -> str:
    """Why a mailbox is not to be tried; empty where it is."""
    if number >= MOST:
        return f"only {MOST} are tried; see: postbell mailbox test {account.mailbox_id}"
    command = account.secret.kind is not SecretKind.PASSWORD_FILE
    if command and os.geteuid() == 0 and runs_as is not None and runs_as.uid:
        return f"its program is not run as root; ask as {runs_as.name}: sudo -u {runs_as.name} postbell doctor"
    return ""


async def _seen(
    settings: Settings,
    account: MailAccount,
    watched: Sequence[Watched],
    stopped: Mapping[int, str] | None,
    *,
    untried: str,
) -> MailboxSeen:
    where, error = _place(account)
    reasons = None if stopped is None else [reason for each in watched if (reason := stopped.get(each.folder_id))]
    tried = None if untried or error else await _tried(settings, account, watched)
    return MailboxSeen(
        account=account,
        secret=None if where is None else named(account.secret.kind, where),
        program_error=error,
        tried=tried,
        untried=untried or error,
        stopped=None if reasons is None else "; ".join(dict.fromkeys(reasons)),
    )


def _place(account: MailAccount) -> tuple[Path | None, str]:
    """The file that has the secret, or the program that says it; or why there is none."""
    if account.secret.kind is SecretKind.PASSWORD_FILE:
        return Path(account.secret.where), ""
    try:
        program = shlex.split(account.secret.where)[0]
    except (ValueError, IndexError):
        return None, "what is to say its password is no command"
    found = shutil.which(program)
    return (None, f"there is no program {program}") if found is None else (Path(found), "")


async def _tried(settings: Settings, account: MailAccount, watched: Sequence[Watched]) -> MailboxTried:
    try:
        tls = context(settings.imap)
    except OSError as error:
        return MailboxTried(untrusted=f"imap.ca_file: {in_words(error)}")
    session = None
    try:
        async with asyncio.timeout(EACH_S):
            session = await open_session(account, tls=lambda: tls, answer_s=ANSWER_S)
            return await _opened(session, watched)
    except (TimeoutError, ImapError) as error:
        return _stopped_by(error, account)
    finally:
        if session is not None:
            session.close()


def _stopped_by(error: TimeoutError | ImapError, account: MailAccount) -> MailboxTried:
    """How far it came, by what it ended with."""
    match error:
        case TimeoutError():
            return MailboxTried(unreached=f"{account.url}: it took more than {EACH_S:.0f} s")
        case ImapSecretError():
            return MailboxTried(no_secret=str(error))
        case ImapLoginError():
            return MailboxTried(refused=str(error))
        case _ if isinstance(error.__cause__, ssl.SSLError):
            return MailboxTried(untrusted=str(error))
        case _:
            return MailboxTried(unreached=str(error))


async def _opened(session: ImapSession, watched: Sequence[Watched]) -> MailboxTried:
    """What the folders are like, and what the server can."""
    missing = []
    for each in watched:
        try:
            await session.select(each.name)
        except ImapNoError as error:
            missing.append((each.name, str(error)))
    there = tuple(sorted(await session.folders())[:MOST]) if missing else ()
    offers = frozenset(name for name in ("IDLE", "CONDSTORE", "QRESYNC") if session.offers(name))
    return MailboxTried(missing=tuple(missing), there=there, offers=offers)

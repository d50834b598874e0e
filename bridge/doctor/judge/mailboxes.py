"""Mailboxes that are followed: whether each can be, and what the bridge says of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge import files
from bridge.doctor.judge.access import ENTER, refusing
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown
from bridge.mailbox.account import SecretKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.doctor.judge.access import SystemUser
    from bridge.doctor.judge.files import Named
    from bridge.mailbox.account import MailAccount

CHECKS: Final = tuple(check for check in Check if check.hop == "mailbox" and check is not Check.MAILBOX_EVENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxTried:
    """What came of connecting as the bridge does: how far it got, and why no further.

    Each of the texts is empty where that went well, or was not come to. `missing` are folders with what the server
    says of them, `there` those that there are, `offers` what the server can; `no_secret` says why there was none.
    """

    no_secret: str = ""
    unreached: str = ""
    untrusted: str = ""
    refused: str = ""
    missing: tuple[tuple[str, str], ...] = ()
    there: tuple[str, ...] = ()
    offers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSeen:
    """A mailbox. `secret` is the file that has it or the program that says it; `program_error` why there is none.

    `tried` is None where nobody tried, for the reason in `untried`. `stopped` is why the bridge does not follow it,
    empty where it does, or None where no bridge says.
    """

    account: MailAccount
    secret: Named | None
    program_error: str = ""
    tried: MailboxTried | None = None
    untried: str = ""
    stopped: str | None = None

    @property
    def name(self) -> str:
        """Which it is."""
        return f"mailbox {self.account.mailbox_id} of {self.account.user}"

    @property
    def server(self) -> str:
        """Where it is."""
        return self.account.url


def judge(mailboxes: Sequence[MailboxSeen], *, runs_as: SystemUser | None) -> list[Finding]:
    """All findings of the hop `mailbox` but that of events."""
    if not mailboxes:
        return [unknown(check, "no mailbox is followed") for check in CHECKS]
    return [
        *_all(Check.MAILBOX_SECRET, (each for seen in mailboxes for each in _secret(seen, runs_as))),
        *_tried(Check.MAILBOX_REACHED, mailboxes, _reached),
        *_tried(Check.MAILBOX_CERTIFICATE, mailboxes, _certificate),
        *_tried(Check.MAILBOX_LOGIN, mailboxes, _login),
        *_tried(Check.MAILBOX_FOLDERS, mailboxes, _folders),
        _tells(mailboxes),
        *_followed(mailboxes),
    ]


def _all(check: Check, found: Iterable[Finding]) -> list[Finding]:
    return list(found) or [fine(check)]


def _tried(
    check: Check, mailboxes: Sequence[MailboxSeen], trouble: Callable[[MailboxSeen, MailboxTried], list[Finding]]
) -> list[Finding]:
    """What is wrong with any; what could not be come to is not known, which is told where nothing is wrong."""
    wrong = [each for seen in mailboxes if seen.tried is not None for each in trouble(seen, seen.tried)]
    if any(each.ok is False for each in wrong):
        return [each for each in wrong if each.ok is False]
    unsaid = [f"{seen.name}: {seen.untried}" for seen in mailboxes if seen.tried is None]
    unsaid += [each.problem for each in wrong]
    return [unknown(check, unsaid[0])] if unsaid else [fine(check)]


def _secret(seen: MailboxSeen, account: SystemUser | None) -> list[Finding]:
    check, secret = Check.MAILBOX_SECRET, seen.account.secret
    if secret.kind is SecretKind.PASSWORD_FILE:
        assert seen.secret is not None
        found = files.secret(
            seen.secret, account, check=check, told=f"{seen.name}: {secret.where}", mend="make the file"
        )
        if found:
            return found
    elif seen.program_error:
        return [
            broken(check, f"{seen.name}: {seen.program_error}", "install it, or name another: postbell mailbox add")
        ]
    elif seen.secret is not None and account is not None:
        wall = refusing(seen.secret.trail, account, ENTER)
        if wall is not None:
            text = f"{seen.name}: {account.name}, who runs the service, cannot run {seen.secret.path}"
            return [broken(check, text, f"let {account.name} run it, or name another: postbell mailbox add")]
    if seen.tried is not None and seen.tried.no_secret:
        cure = f"have it say the secret in its first line, then: postbell mailbox test {seen.account.mailbox_id}"
        return [broken(check, f"{seen.name}: {seen.tried.no_secret}", cure)]
    return []


def _reached(seen: MailboxSeen, tried: MailboxTried) -> list[Finding]:
    if tried.no_secret:
        return [unknown(Check.MAILBOX_REACHED, f"{seen.name}: there is no password to try it with")]
    if not tried.unreached:
        return []
    cure = f"have the name server know it and let this machine connect to it; is it {seen.server}?"
    return [broken(Check.MAILBOX_REACHED, f"{seen.name}: {tried.unreached}", cure)]


def _certificate(seen: MailboxSeen, tried: MailboxTried) -> list[Finding]:
    if tried.no_secret or tried.unreached:
        return [unknown(Check.MAILBOX_CERTIFICATE, f"{seen.name}: {seen.server} did not come so far")]
    if not tried.untrusted:
        return []
    cure = "name the host that the certificate is for; an authority of your own goes into imap.ca_file"
    return [broken(Check.MAILBOX_CERTIFICATE, f"{seen.name}: {seen.server}: {tried.untrusted}", cure)]


def _login(seen: MailboxSeen, tried: MailboxTried) -> list[Finding]:
    if tried.no_secret or tried.unreached or tried.untrusted:
        return [unknown(Check.MAILBOX_LOGIN, f"{seen.name}: {seen.server} did not come so far")]
    if not tried.refused:
        return []
    cure = "put the right password there; where the provider wants one, an app password, or an access token"
    return [broken(Check.MAILBOX_LOGIN, f"{seen.name}: {seen.account.login}: {tried.refused}", cure)]


def _folders(seen: MailboxSeen, tried: MailboxTried) -> list[Finding]:
    if tried.offers is None:
        return [unknown(Check.MAILBOX_FOLDERS, f"{seen.name}: {seen.server} did not come so far")]
    there = f"the folders there are {', '.join(tried.there)}" if tried.there else "it names no folders"
    cure = f"name them anew with postbell mailbox add {seen.account.user} … --folder NAME: {there}"
    return [broken(Check.MAILBOX_FOLDERS, f"{seen.name}: {folder}: {said}", cure) for folder, said in tried.missing]


def _tells(mailboxes: Sequence[MailboxSeen]) -> Finding:
    """How soon each server says what changed. Never broken: a server is as it is."""
    offered = {seen.server: seen.tried.offers for seen in mailboxes if seen.tried is not None}
    told = [f"{server}: {_offers(offers)}" for server, offers in offered.items() if offers is not None]
    if not told:
        return unknown(Check.MAILBOX_TELLS, "no server came so far")
    return fine(Check.MAILBOX_TELLS, "; ".join(told))


def _offers(offers: frozenset[str]) -> str:
    there = [name for name in ("IDLE", "CONDSTORE", "QRESYNC") if name in offers]
    asked = [] if "IDLE" in offers else ["no IDLE, so it is asked each imap.poll seconds"]
    return ", ".join([*there, *asked])


def _followed(mailboxes: Sequence[MailboxSeen]) -> list[Finding]:
    said = [seen for seen in mailboxes if seen.stopped is not None]
    if not said:
        return [unknown(Check.MAILBOX_FOLLOWED, "no bridge runs, or it does not say")]
    found = [
        broken(
            Check.MAILBOX_FOLLOWED,
            f"{seen.name} is not followed: {seen.stopped}",
            "mend what is told above; a refused login is tried again when its password file was written anew, or with "
            "systemctl restart postbell",
        )
        for seen in said
        if seen.stopped
    ]
    return found or [fine(Check.MAILBOX_FOLLOWED)]

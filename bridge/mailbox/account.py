"""A mailbox that is followed, and its folders, as somebody told us. Frozen values, pure.

The password is in none of them: only where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SecretKind(StrEnum):
    """Where the secret of a mailbox comes from, each time that it is needed."""

    PASSWORD_FILE = "password-file"  # noqa: S105 - where one is
    """The first line of a file is a password."""
    PASSWORD_COMMAND = "password-command"  # noqa: S105 - the same
    """The first line that a command writes is a password."""
    XOAUTH2_COMMAND = "xoauth2-command"
    """The first line that a command writes is an access token (RFC 6749 §1.4)."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret comes from: `where` is a file's path, or a command line that no shell is asked about."""

    kind: SecretKind
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAccount:
    """A mailbox of a user at a mail server.

    `tls` is false only for a server on this machine. `source_ms` is None where mail comes by SMTP alone; else mail
    that the server received since then, in Unix milliseconds, is fetched where it did not come by SMTP. With `events`
    no connection is kept: the server says when something changed.
    """

    mailbox_id: int
    user_id: int
    user: str
    host: str
    port: int
    tls: bool
    login: str
    secret: Secret
    source_ms: int | None = None
    events: bool = False

    @property
    def owner(self) -> str:
        """Whose mailbox it is, there: a master user's login has its own name behind that."""
        return self.login.partition("*")[0]

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'imaps' if self.tls else 'imap'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A folder of a mailbox that is followed; `others` is how many more there are of that mailbox."""

    folder_id: int
    account: MailAccount
    name: str
    others: int = 0

"""What a recipe is made of: the site it is for, the files and commands it consists of. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TypeVar

from bridge.config.endpoints import Endpoint, TcpAddress, UnixAddress
from bridge.directory import COPY_DOMAIN
from bridge.errors import ConfigurationError

_SAFE = re.compile(r"(?!.*\$\{)[A-Za-z0-9!$%&'*+/=?^_`{|}~.-]*@[A-Za-z0-9.-]+")  # ${…} is a variable to Sieve
_PLAIN = re.compile(r"[A-Za-z0-9_./:\[\]@+-]+")

MARKS = "mta"
"""The folder of the state directory with a link for each mail server that was set up, to its configuration."""
KEPT = "postbell"
"""The folder beside a mail server's own tables with those that Postbell writes."""
AGAIN = "Run it again after users or addresses have changed."
BY_ITSELF = "Users and addresses that change later are taken up by themselves."

E = TypeVar("E", TcpAddress, UnixAddress, Endpoint)


@dataclass(frozen=True, slots=True)
class Site:
    """Where Postbell listens, and whose mail it should hear of.

    `lmtp` and `smtp` are None when off; `addresses` are registered addresses, `@domain` for all of a domain. `owner` is
    the user that Postbell runs as, and `state_dir` where it keeps its state: what a recipe leaves there and gives to
    that user is how Postbell keeps the addresses current. Empty, nothing of the sort is done.
    """

    lmtp: Endpoint | None
    addresses: tuple[str, ...]
    smtp: Endpoint | None = None
    owner: str = ""
    state_dir: str = ""

    @property
    def copied(self) -> tuple[str, ...]:
        """The addresses that can be written into any mail server's configuration."""
        return tuple(address for address in self.addresses if _SAFE.fullmatch(address))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of a recipe should know of the addresses."""
        left_out = [ascii(address) for address in self.addresses if not _SAFE.fullmatch(address)]
        return (f"Left out, being more than plain ASCII: {', '.join(left_out)}.",) if left_out else ()

    @property
    def kept(self) -> bool:
        """Whether Postbell keeps addresses current by itself, where the server's tables allow that."""
        return bool(self.owner and self.state_dir)

    def giving(self, folder: str) -> tuple[str, ...]:
        """Commands that let Postbell write the tables in a folder."""
        return (shlex.join(["chown", "-R", self.owner, folder]),) if self.kept else ()

    def noting(self, server: str, directory: str) -> tuple[str, ...]:
        """Commands that note for Postbell which server was set up, and where its configuration is."""
        if not self.kept:
            return ()
        marks = f"{self.state_dir}/{MARKS}"
        return (
            shlex.join(["install", "-d", "-o", self.owner, "-m", "700", marks]),
            shlex.join(["ln", "-sfn", directory, f"{marks}/{server}"]),
        )

    def require_lmtp(self) -> Endpoint:
        """Where the LMTP listener is; raises ConfigurationError when it is off or cannot be named elsewhere."""
        if self.lmtp is None:
            raise ConfigurationError('lmtp.listen is off: set it, for example to "unix:/run/postbell/lmtp.sock"')
        return reachable("lmtp.listen", self.lmtp)


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written, with its whole text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes a mail server or a broker work with Postbell: files to write, then commands to run, as root.

    `reload` makes the running server notice; `notes` are for the reader; `folders` are those that the files
    need and the server's packages do not bring. `within` are the server's own files with the lines, or parts of
    lines, that the commands leave in them.
    """

    server: str
    summary: str
    files: tuple[File, ...]
    commands: tuple[str, ...]
    reload: str
    notes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    within: tuple[File, ...] = ()

    def __str__(self) -> str:
        """All of it as a shell script, with the notes as comments."""
        head = "\n".join([f"# {self.server}: {self.summary}", *(f"# - {note}" for note in self.notes)])
        folders = [shlex.join(["mkdir", "-p", *self.folders])] if self.folders else []
        files = [f"cat > {shlex.quote(file.path)} <<'POSTBELL'\n{file.text}POSTBELL" for file in self.files]
        return "\n\n".join([head, *folders, *files, "\n".join([*self.commands, self.reload])]) + "\n"


def reachable(key: str, endpoint: E) -> E:
    """A listener fit for any mail server's configuration; raises ConfigurationError.

    Blanks, quotes and dollar signs mean something else in each of them, and port 0 is no port.
    """
    if not _PLAIN.fullmatch(str(endpoint)):
        raise ConfigurationError(
            f"{key} = {str(endpoint)!r}: use letters, digits and _ . / - so that a mail server can name it"
        )
    if isinstance(endpoint, TcpAddress) and endpoint.port == 0:
        raise ConfigurationError(
            f"{key} = {str(endpoint)!r}: start Postbell first, so that its port is known, or choose one"
        )
    return endpoint


def plain(what: str, text: str) -> str:
    """A path fit for any server's configuration, by the same rule; raises ConfigurationError."""
    if text and not _PLAIN.fullmatch(text):
        raise ConfigurationError(f"{what} = {text!r}: use letters, digits and _ . / - so that a server can name it")
    return text


def copy_address(address: str) -> str:
    """Where the copy for an address goes inside the mail server: `alice=example.org@postbell.invalid`."""
    local, _, domain = address.rpartition("@")
    return f"{local}={domain}@{COPY_DOMAIN}"

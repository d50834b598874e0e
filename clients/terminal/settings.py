"""What the command line, the environment and the terminal say, made into what a session needs."""

from __future__ import annotations

import getpass
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from clients.contract.errors import MalformedError
from clients.contract.topics import Mailbox
from clients.endpoint import parse_endpoint
from clients.errors import UsageError
from clients.keepalive import CEILING_S
from clients.login import Login

DEFAULT_URL = "mqtt://127.0.0.1:1883"
_KEYS = {
    **dict.fromkeys(("device", "password_file", "url", "username", "state", "root", "ca_file"), str),
    "keepalive": int,
}
PASSWORD_VARIABLE = "POSTBELL_PASSWORD"  # noqa: S105 (a name, not a password)


@dataclass(frozen=True, slots=True)
class Place:
    """Which device, at which broker, with what memory: as given on the command line."""

    device: str
    url: str
    username: str | None
    password_file: Path | None
    state: Path | None
    root: str
    keepalive_s: int | None
    """None: what the network is found to survive."""
    ca_file: Path | None


def account_of(file: Path) -> Place:
    """The device that a TOML file tells of: `device`, and as on the command line `url`, `password_file` and so on.

    Files that it names are looked for beside it. Raises UsageError.
    """
    try:
        told = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--account {file}: {getattr(error, 'strerror', None) or error}") from error
    strange = [name for name, value in told.items() if not isinstance(value, _KEYS.get(name, ()))]
    if strange or "device" not in told or "password_file" not in told:
        wrong = f"{strange[0]} is no key of an account, or not of its kind" if strange else "a key is missing"
        raise UsageError(f"--account {file}: {wrong}; the keys are {', '.join(_KEYS)}")
    paths = {name: file.parent / told[name] for name in ("password_file", "state", "ca_file") if name in told}
    return Place(
        device=told["device"],
        url=told.get("url", DEFAULT_URL),
        username=told.get("username"),
        password_file=paths["password_file"],
        state=paths.get("state"),
        root=told.get("root", "mail"),
        keepalive_s=told.get("keepalive"),
        ca_file=paths.get("ca_file"),
    )


def mailbox_of(place: Place) -> Mailbox:
    """The topics of `USER/DEVICE`; raises UsageError if it is not written so."""
    user, _, device = place.device.partition("/")
    root = place.root
    if not root or any(character in root for character in "+#\0") or root.strip("/") != root:
        raise UsageError(f"--root {root!r} is not the start of a topic, such as mail")
    try:
        return Mailbox(root=root, user=user, device=device)
    except MalformedError as error:
        raise UsageError(
            f"{place.device!r} is not USER/DEVICE: each is 1 to 32 of a-z, 0-9, _ and -, the first no sign"
        ) from error


def login_of(place: Place, mailbox: Mailbox) -> Login:
    """The login of the device: the password from the file, else the environment, else asked for."""
    return Login(
        endpoint=parse_endpoint(place.url),
        username=place.username or mailbox.username,
        password=_password(place.password_file),
        keepalive_s=place.keepalive_s or CEILING_S,
        ca_file=place.ca_file,
    )


def state_path(place: Place, mailbox: Mailbox) -> Path:
    """The state file: as given, or in the user's state directory (XDG). Raises UsageError without a home."""
    if place.state is not None:
        return place.state
    try:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError as error:
        raise UsageError(f"user {os.geteuid()} has no home directory; name a file with --state") from error
    return home / "postbell" / f"{mailbox.username}.journal"


def _password(file: Path | None) -> str:
    if file is not None:
        try:
            password = file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--password-file {file}: {getattr(error, 'strerror', None) or 'is no text'}") from error
        if not password:
            raise UsageError(f"--password-file {file} is empty")
        return password
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if password:
        return password
    if not sys.stdin.isatty():
        raise UsageError(f"no password: use --password-file FILE or the variable {PASSWORD_VARIABLE}")
    return getpass.getpass("Password of the device: ")

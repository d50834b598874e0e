"""`postbell watch` and `postbell read`: the reference client, told by the configuration where and who.

On the server itself it needs no password: whoever may write the database is given one. That one is
always the same, since the broker ends the session of a password that was replaced, with all that
waits in it: a second `watch` or `read` must not cost the first one its session, nor a restart its
queue. It follows from a key beside the database, and the database has its hash alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from bridge.cli import context as shared
from bridge.cli.people import local_url
from bridge.contract import topics
from bridge.store import logins, offline, people

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.config.settings import Settings

PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
SWITCHES = frozenset({"--json", "--gone", "--ack", "--bell", "--no-bell", "--raw", "--parts", "--help"})
"""The client's options that take no value: with any other, the word behind it is no argument."""
URL, PASSWORD = "POSTBELL_URL", "POSTBELL_PASSWORD"
"""What the client reads from its environment."""
KEY_FILE, KEY_BYTES = "local.key", 32


def client(context: typer.Context) -> None:
    """Become the reference client."""
    given = Given.of(context.args)
    if "--help" in given.options:
        typer.echo("On the server, address and login come from the configuration: --config FILE, as everywhere.\n")
        _become(context, given.words, {})
    settings = shared.settings(context, given.config)
    words = [*given.words, *_places(settings, given)]
    _become(context, words, {URL: local_url(settings), **os.environ, **_login(settings, given)})


def _become(context: typer.Context, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    command = [sys.executable, "-m", "clients", str(context.info_name), *words]
    os.execve(sys.executable, command, {**os.environ, **environment, "POSTBELL_PROGRAM": "postbell"})  # noqa: S606


@dataclass(frozen=True, slots=True)
class Given:
    """The command line of the client: all its words but `--config`, and what is to be known of them here."""

    words: tuple[str, ...]
    options: frozenset[str]
    device: str
    config: Path | None

    @property
    def names(self) -> tuple[str, str] | None:
        """User and device, if they are written so."""
        user, _, device = self.device.partition("/")
        return (user, device) if topics.valid_name(user) and topics.valid_name(device) else None

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Given:
        """Look through the arguments without judging them: that is for the client."""
        words, options, plain, config = [], set(), [], None
        rest = iter(arguments)
        for word in rest:
            option, equals, value = word.partition("=")
            if option == "--config":
                config = Path(value if equals else next(rest, ""))
                continue
            words.append(word)
            if not word.startswith("-"):
                plain.append(word)
                continue
            options.add(option)
            if not equals and option not in SWITCHES:
                words += [value for value in [next(rest, None)] if value is not None]
        return cls(tuple(words), frozenset(options), plain[0] if plain else "", config)


def _places(settings: Settings, given: Given) -> list[str]:
    """The further options that the configuration knows, as far as they were not given."""
    known = {"--root": settings.mqtt.root}
    if settings.mqtt.url and settings.mqtt.ca_file is not None:
        known["--ca-file"] = str(settings.mqtt.ca_file)
    if given.names is not None and _is_ours(settings):
        # Two installations on one machine may both have an alice/phone.
        known["--state"] = str(settings.state_dir / "watch" / f"{people.username(*given.names)}.journal")
    return [f"{option}={value}" for option, value in known.items() if option not in given.options]


def _login(settings: Settings, given: Given) -> dict[str, str]:
    """A password for the device, if nothing else says how to log in and this process may give one."""
    told = given.options & {"--url", "--username", "--password-file"} or os.environ.keys() & {URL, PASSWORD}
    if told or given.names is None or not _is_ours(settings):
        return {}
    if not settings.broker.embedded and sys.stdin.isatty():
        return {}  # another broker knows only the passwords that it was told, so the client asks for one
    with offline.reading(settings.database) as connection:
        people.require_device(connection, *given.names)
    username = people.username(*given.names)
    password = _password(_key(settings.state_dir / KEY_FILE), username)
    with shared.changing(settings) as transaction:
        logins.admit(transaction, username, password, label="local", role="device")
    return {PASSWORD: password}


def _is_ours(settings: Settings) -> bool:
    return os.access(settings.database, os.W_OK)


def _password(key: bytes, username: str) -> str:
    """The local password of a login: 160 bits that nobody knows who cannot read the key."""
    digest = hmac.digest(key, b"postbell local login\0" + username.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[: logins.PASSWORD_BYTES]).decode().rstrip("=")


def _key(path: Path) -> bytes:
    """The key of this installation, made when there is none or a torn one."""
    if path.exists() and path.stat().st_size != KEY_BYTES:
        path.unlink()
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(fresh, path)  # of two who make one at once, both use the same
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()

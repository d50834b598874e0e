"""`postbell watch`, `inbox` and `read`: become the reference client, told by the configuration where and who.

What finds that out is imported by what asks it: the client's help is the client's own, and needs nothing of here.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from bridge.cli import options, processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.config.settings import Settings

PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
SWITCHES = frozenset(
    {"--json", "--gone", "--ack", "--bell", "--no-bell", "--notify", "--tui", "--raw", "--parts", "-h", "--help"}
)
"""The client's options that take no value: with any other, the word behind it is no argument."""
URL, PASSWORD = "POSTBELL_URL", "POSTBELL_PASSWORD"
"""What the client reads from its environment."""


ON_THE_SERVER = """\
On the server, address and login come from the configuration (--config FILE, as everywhere), and where nothing else says
how to log in, what was shown is kept in watch/ of state_dir.
"""

watch_app, inbox_app, read_app = typer.Typer(), typer.Typer(), typer.Typer()


@watch_app.command(context_settings=PASS_THROUGH, help="Show mail as it comes: the reference client (terminal).")
@inbox_app.command(context_settings=PASS_THROUGH, help="List what is unseen, and open, save or mark it (terminal).")
@read_app.command(context_settings=PASS_THROUGH, help="Read a body or save an attachment over MQTT.")
def client(context: typer.Context) -> None:
    """Become the reference client."""
    given = Given.of(context.args)
    if given.options & {"-h", "--help"}:
        typer.echo(ON_THE_SERVER)
        _become(context, given.words, {})
    from bridge.cli import at_cell, ownership, reach  # noqa: PLC0415

    settings = options.settings(context, given.config)
    if given.names is not None and not told(given):
        _require_store(context, given)
        settings = at_cell.settings_of(settings, given.names[0])
    environment = {URL: str(reach.local_url(settings)), **os.environ}
    if given.names is not None and "--state" not in given.options:
        environment |= ownership.become(settings.state_dir)  # the journal is kept there
    words = [*given.words, *_places(settings, given)]
    _become(context, words, environment | _login(settings, given))


def told(given: Given) -> bool:
    """Whether something else than the store says how to log in."""
    return bool(given.options & {"--url", "--username", "--password-file"} or os.environ.keys() & {URL, PASSWORD})


def _require_store(context: typer.Context, given: Given) -> None:
    """Where the store has to give the login it must be there, and this user must be able to write it."""
    from bridge.cli import local_login, opening, ownership  # noqa: PLC0415
    from bridge.errors import ConfigurationError  # noqa: PLC0415

    try:
        settings = opening.existing(context, given.config)
        if not local_login.may_log_in(settings):
            ownership.require(settings.state_dir)
    except ConfigurationError as error:
        elsewhere = "or, on another machine, say how to log in: --url URL --password-file FILE"
        raise ConfigurationError(f"{error}; {elsewhere}") from error


def _become(context: typer.Context, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    processes.become(
        "clients", str(context.info_name), *words, environment={**environment, "POSTBELL_PROGRAM": "postbell"}
    )


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
        from bridge.contract import topics  # noqa: PLC0415

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
    from bridge.cli import local_login  # noqa: PLC0415
    from bridge.store import pairing  # noqa: PLC0415

    known = {"--root": settings.mqtt.root}
    if settings.mqtt.url and settings.mqtt.ca_file is not None:
        known["--ca-file"] = str(settings.mqtt.ca_file)
    if given.names is not None and local_login.may_log_in(settings):
        # Two installations on one machine may both have an alice/phone.
        known["--state"] = str(settings.state_dir / "watch" / f"{pairing.username(*given.names)}.journal")
    return [f"{option}={value}" for option, value in known.items() if option not in given.options]


def _login(settings: Settings, given: Given) -> dict[str, str]:
    """A password for the device, if nothing else says how to log in and this process may give one."""
    from bridge.cli import local_login  # noqa: PLC0415

    if told(given) or given.names is None or not local_login.may_log_in(settings):
        return {}
    if not settings.broker.embedded and sys.stdin.isatty():
        return {}  # another broker knows only the passwords that it was told, so the client asks for one
    return {PASSWORD: local_login.admitted(settings, *given.names)}

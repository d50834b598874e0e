"""`postbell setup mosquitto` and `nats`: what makes another program the broker, and keeps it told of the logins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli import opening, ownership, telling
from bridge.config import loading
from bridge.config.endpoints import TcpAddress
from bridge.errors import ConfigurationError
from bridge.setup import broker, mosquitto, nats
from bridge.setup.recipe import plain

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.setup.recipe import Recipe


def prepared(context: typer.Context, config: Path | None, name: str) -> Settings:
    """The configuration, once it says that this is the broker; raises ConfigurationError with the lines to write."""
    try:
        settings = opening.existing(context, config)
    except opening.NoStoreError as error:
        if opening.BEGIN not in str(error):
            raise
        first = (
            f"{name} gets the logins that are stored there: set Postbell up before its broker, by: sudo postbell init"
        )
        raise ConfigurationError(str(error).replace(opening.BEGIN, first)) from error
    if settings.mqtt.logins_for == name:
        return settings
    place = loading.place_of(("mqtt", "logins_for"), opening.file_of(context, config))
    raise ConfigurationError(
        f"{place}: mqtt.logins_for = {settings.mqtt.logins_for!r}: to have {name} as the broker, write\n"
        f'[broker]\nembedded = false\n[mqtt]\nurl = "mqtt://127.0.0.1:1883"\nlogins_for = "{name}"\n'
        "into it (docs/brokers), and run this again"
    )


def write_logins(settings: Settings) -> None:
    """Write the login files now, as the recipe does once, and whoever does without it; raises BrokerUntoldError."""
    left_out = telling.written(settings, read=False)
    for username in left_out:
        user, _, device = username.partition(".")
        cure = f"postbell device password {user} {device}" if device else "a new password"
        typer.echo(f"left out: {username}, whose password is from before this could be done; give it {cure}", err=True)
    typer.echo(f"the logins for {settings.mqtt.logins_for} are in {settings.login_files}")


def recipe(
    settings: Settings, *, config: Path | None, directory: str, tls: str, websocket: str, certificate: str, key: str
) -> Recipe:
    """The recipe as the configuration and the options say; raises ConfigurationError."""
    assert settings.mqtt.url is not None, "another broker has a URL"
    listeners = broker.listeners(
        settings.mqtt.url,
        tls=_address("--tls-listen", tls),
        websocket=_address("--websocket", websocket),
        certificate=plain("--tls-cert", certificate),
        key=plain("--tls-key", key),
    )
    owner = ownership.owner_of(settings.state_dir)
    site = broker.BrokerSite(
        listeners=listeners,
        login_files=plain("mqtt.logins_dir", str(settings.login_files)),
        account=str(owner.name or owner.uid) if owner else "postbell",
        write_logins=_command(settings, config),
    )
    if settings.mqtt.logins_for == "nats":
        return nats.recipe(site, directory=directory or nats.ETC)
    return mosquitto.recipe(site, directory=directory or mosquitto.ETC)


def _command(settings: Settings, config: Path | None) -> tuple[str, ...]:
    """This program and its configuration, as root finds them from anywhere."""
    told = ("--config", str(config.resolve())) if config else ()
    return (str(Path(sys.argv[0]).resolve()), "setup", settings.mqtt.logins_for, "--logins", *told)


def _address(option: str, text: str) -> TcpAddress | None:
    try:
        return TcpAddress.parse(text) if text else None
    except ValueError as error:
        raise ConfigurationError(f"{option} {text}: not an address; {error}") from error

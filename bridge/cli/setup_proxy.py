"""`postbell setup haproxy` and `setup mosquitto --cell`: what has devices reach the cell of their user, and a cell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from bridge.cli import opening, ownership, reach
from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.daemon import cell_settings
from bridge.errors import ConfigurationError
from bridge.setup import broker, haproxy, mosquitto
from bridge.setup.recipe import plain
from bridge.store import placing

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.cells import Cell
    from bridge.config.settings import Settings

TLS = TcpAddress("", 8883)


def show(context: typer.Context, config: Path | None, *, listen: str, tls: str, certificate: str, main: str) -> None:
    """Print the configuration; raises ConfigurationError and store errors."""
    with opening.reading(context, config) as (settings, connection):
        cells = placing.everyone(connection)
        if not settings.cell_map.exists():  # without it HAProxy does not start; a running bridge writes it anew
            settings.cell_map.touch(mode=0o644)
    typer.echo(configuration(settings, cells, listen=listen, tls=tls, certificate=certificate, main=main), nl=False)


def show_cell(
    context: typer.Context, config: Path | None, server: str, name: str, *, certificate: str, key: str
) -> None:
    """Print what the mosquitto of a cell has to be told; raises ConfigurationError and store errors."""
    if server != "mosquitto":
        raise ConfigurationError(f"--cell goes with mosquitto, and not with {server}")
    with opening.reading(context, config) as (settings, connection):
        cell = placing.named(connection, name)
    if cell.logins_for != server:
        raise ConfigurationError(f"cell {name} was not added with --logins-for mosquitto, so its logins are not kept")
    at = cell_settings.at(settings, cell)
    assert at.mqtt.url is not None, "a cell has a URL"
    here = broker.listeners(
        at.mqtt.url,
        tls=None,
        websocket=None,
        certificate=plain("--tls-cert", certificate),
        key=plain("--tls-key", key),
    )
    typer.echo(mosquitto.fragment(here, login_files=plain("--logins-dir", cell.logins_dir)), nl=False)


def configuration(
    settings: Settings, cells: list[Cell], *, listen: str, tls: str, certificate: str, main: str = ""
) -> str:
    """The configuration for these cells, of which the first may be elsewhere to HAProxy (`main`).

    Raises ConfigurationError.
    """
    first = _address("--main", main)
    owner = ownership.owner_of(settings.state_dir)
    site = haproxy.ProxySite(
        cells=tuple(
            _place(settings, cell) if cell.url or first is None else haproxy.ProxiedCell(cell.name, first)
            for cell in cells
        ),
        listen=_address("--listen", listen),
        tls=_address("--tls-listen", tls) or TLS,
        certificate=certificate,
        user_map=str(settings.cell_map.absolute()),
        admin=str(settings.cells.haproxy or haproxy.ADMIN),
        uid=owner.uid if owner else os.geteuid(),
        ca_file=str(settings.mqtt.ca_file or ""),
    )
    return haproxy.configuration(site)


def _place(settings: Settings, cell: Cell) -> haproxy.ProxiedCell:
    url = MqttUrl.parse(cell.url) if cell.url else reach.local_url(settings)
    if url.websocket:
        raise ConfigurationError(
            f"cell {cell.name}: {url}: HAProxy reads no user out of WebSockets; name mqtt:// or mqtts://"
        )
    return haproxy.ProxiedCell(cell.name, url.address, encrypted=url.encrypted)


def _address(option: str, text: str) -> TcpAddress | None:
    try:
        return TcpAddress.parse(text) if text else None
    except ValueError as error:
        raise ConfigurationError(f"{option} {text}: not an address; {error}") from error

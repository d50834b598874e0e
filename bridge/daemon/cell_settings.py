"""What the settings are at a cell: the bridge's own, with another broker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cells import MAIN
from bridge.config.endpoints import MqttUrl
from bridge.config.values import LOGINS_FOR

if TYPE_CHECKING:
    from bridge.cells import Cell
    from bridge.config.settings import Settings

PASSWORDS = "cells"
"""The folder of the state directory with the bridge's passwords at cells, where Postbell makes them."""


def at(settings: Settings, cell: Cell) -> Settings:
    """The settings for what is done at this cell."""
    if cell.cell_id == MAIN:
        return settings
    made = settings.state_dir / PASSWORDS / f"{cell.name}.password"
    # Where several bridges share a store, each has one password at all brokers: that of its line in mqtt.nodes_file.
    usual = settings.password_file if settings.store.url else made
    mqtt = replace(
        settings.mqtt,
        url=MqttUrl.parse(cell.url),
        ca_file=Path(cell.ca_file) if cell.ca_file else settings.mqtt.ca_file,
        password_file=Path(cell.password_file) if cell.password_file else usual,
        logins_for=LOGINS_FOR.read(cell.logins_for),
        logins_dir=Path(cell.logins_dir) if cell.logins_dir else None,
        logins_hook=cell.logins_hook,
    )
    return replace(settings, mqtt=mqtt, broker=replace(settings.broker, embedded=False))

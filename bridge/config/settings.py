"""All settings of the bridge, and the places that follow from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bridge.config.own_secret import OwnSecret
from bridge.config.section import Section, key, part
from bridge.config.sections import (
    Body,
    BridgeLimits,
    Broker,
    Cells,
    HomeAssistant,
    Http,
    Imap,
    KeptIn,
    Lmtp,
    Log,
    Mqtt,
    Processes,
    Push,
    Retain,
    Smtp,
    Spam,
)
from bridge.config.values import DIRECTORY, NAME
from bridge.contract import topics
from bridge.errors import ConfigurationError


def default_state_dir() -> Path:
    """Where state lives unless the configuration says so: the system's place for root, else the user's.

    Raises ConfigurationError for a user who has no home.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/postbell")
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "postbell"
    except RuntimeError as error:
        raise ConfigurationError(
            f"defaults: state_dir: user {os.geteuid()} has no home directory; name one in the configuration, or as "
            "POSTBELL_STATE_DIR"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Section):
    """All that the bridge is told from outside."""

    state_dir: Path = key(
        DIRECTORY,
        default_state_dir,
        "The directory of all that is kept: users, mail, locks. It is for Postbell's user alone.",
    )
    node: str = key(NAME, topics.DEFAULT_NODE, "This bridge's name; of several at one broker each has its own.")
    bridge: Processes = part("bridge", Processes)
    smtp: Smtp = part("smtp", Smtp)
    lmtp: Lmtp = part("lmtp", Lmtp)
    spam: Spam = part("spam", Spam)
    broker: Broker = part("broker", Broker)
    mqtt: Mqtt = part("mqtt", Mqtt)
    store: KeptIn = part("store", KeptIn)
    cells: Cells = part("cells", Cells)
    retain: Retain = part("retain", Retain)
    body: Body = part("body", Body)
    http: Http = part("http", Http)
    push: Push = part("push", Push)
    imap: Imap = part("imap", Imap)
    homeassistant: HomeAssistant = part("homeassistant", HomeAssistant)
    log: Log = part("log", Log)
    limits: BridgeLimits = part("limits", BridgeLimits)

    @property
    def broker_login(self) -> str:
        """The bridge's login at its broker: `mqtt.username`, or a name of its own for each node."""
        return self.mqtt.username or topics.bridge_login(self.node)

    @property
    def home(self) -> str:
        """The first levels of what Home Assistant is told; empty when it is told nothing."""
        return self.homeassistant.prefix if self.homeassistant.enabled else ""

    @property
    def login_files(self) -> Path:
        """The directory of the login files of another broker, where Postbell keeps them."""
        return self.mqtt.logins_dir or Path(f"/var/lib/postbell-{self.mqtt.logins_for}")

    @property
    def password_file(self) -> Path | None:
        """The file with the bridge's password alone, at another broker; None where it has none."""
        made = self.mqtt.logins_for and not self._in_nodes_file
        return self.mqtt.password_file or (self.state_dir / "mqtt.password" if made else None)

    @property
    def own_secret(self) -> OwnSecret | None:
        """Where the bridge has its password at another broker from; None where it has one of the embedded broker's.

        Of bridges that share a store it is the one by which another takes this one's place there.
        """
        if self.password_file is not None:
            return OwnSecret(self.password_file)
        if self._in_nodes_file and self.mqtt.nodes_file is not None:
            return OwnSecret(self.mqtt.nodes_file, self.node)
        return None

    @property
    def _in_nodes_file(self) -> bool:
        return self.mqtt.nodes_file is not None and self.mqtt.password_file is None and not self.broker.embedded

    @property
    def cell_map(self) -> Path:
        """Where it stands at which cell a user is."""
        return self.cells.map or self.state_dir / "cells.map"

    @property
    def database(self) -> Path:
        """The store's file, where it is one."""
        return self.state_dir / "postbell.db"

    @property
    def place(self) -> Path | str:
        """What the store is kept in: its file, or the URL of its database."""
        return self.store.url or self.database

    @property
    def spool_dir(self) -> Path:
        """Where messages too large for the database lie."""
        return self.state_dir / "spool"

    @property
    def run_dir(self) -> Path:
        """Where running processes say how they are reached."""
        return self.state_dir / "run"

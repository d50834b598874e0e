"""The installation that a run hits, with its store in PostgreSQL and a state directory for each bridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import topics
from tests.crash.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.cluster.server import Database


def node_names(count: int) -> tuple[str, ...]:
    """What the bridges are called: as their MQTT logins are."""
    return tuple(topics.bridge_login(f"n{number}") for number in range(1, count + 1))


def node_of(name: str) -> str:
    """The node of a bridge of that name."""
    return name.removeprefix("bridge-")


@dataclass(slots=True, kw_only=True)
class ClusterSite(Site):
    """The same people, and bridges that share nothing but the database."""

    store: Database

    @property
    def database(self) -> Path | str:
        return self.store.url(self.store.ports)

    @property
    def nodes_file(self) -> Path:
        """The passwords of all nodes, with which one closes another's connection to the broker."""
        return self.directory / "nodes"

    def told(self, process: str) -> dict[str, object]:
        return self.facts(self.directory / process / "run" / "bridge.json")

    def prepare_nodes(self) -> None:
        """What each bridge needs on its machine."""
        lines = [f"{node_of(name)}:{self.passwords[name]}\n" for name in self.nodes]
        self.nodes_file.write_text("".join(lines))

    def node_environment(self, name: str, *, of_several: bool) -> dict[str, str]:
        """What one bridge is told; whether its broker is one of several nodes."""
        told = self.environment() | {
            "POSTBELL_STATE_DIR": str(self.directory / name),
            "POSTBELL_NODE": node_of(name),
            "POSTBELL_BROKER__EMBEDDED": "false",
            "POSTBELL_MQTT__PASSWORD_FILE": str(self.password_file(name)),
            "POSTBELL_MQTT__NODES_FILE": str(self.nodes_file),
            "POSTBELL_MQTT__CLUSTER": str(of_several).lower(),
        }
        del told["POSTBELL_BROKER__LISTEN"]
        return told

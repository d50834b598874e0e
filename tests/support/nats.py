"""A real NATS server with JetStream as an MQTT broker, on ports of its own."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.conftest import need
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def _write_configuration(path: Path, *, name: str, port: int, more: Mapping[str, Any]) -> None:
    """Write a node's settings: MQTT on a port of loopback, everything in a folder beside; `more` adds and replaces.

    What it acknowledges is on disk; without more everybody may do everything.
    """
    told: dict[str, Any] = {
        "server_name": name,
        "listen": "127.0.0.1:-1",
        "jetstream": {"store_dir": str(path.with_suffix("")), "sync_interval": "always"},
        "mqtt": {"listen": f"127.0.0.1:{port}"},
    }
    for key, value in more.items():
        told[key] = {**told.get(key, {}), **value}
    path.touch(mode=0o600)
    path.write_text(json.dumps(told, indent=1))


class NatsNode:
    """A node that is configured, and how it is started; `more` is as above."""

    def __init__(self, directory: Path, *, name: str, port: int = 0, more: Mapping[str, Any] | None = None) -> None:
        path = directory / f"{name}.conf"
        self.port = port or free_port()
        self.command = (need("nats-server"), "-c", str(path))
        _write_configuration(path, name=name, port=self.port, more=more or {})


@contextmanager
def nats(directory: Path) -> Iterator[int]:
    """Run nats-server until the block ends; its MQTT port."""
    node = NatsNode(directory, name="one")
    with (directory / "nats.log").open("wb") as log:
        process = subprocess.Popen(node.command, stdout=log, stderr=log)
    try:
        until(lambda: listens(("127.0.0.1", node.port)), what="NATS to listen")
        yield node.port
    finally:
        process.terminate()
        process.wait(10)

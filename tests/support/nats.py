"""A real NATS server with JetStream as the external broker, on a port of its own; everybody may do everything."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.conftest import need
from tests.support.system import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def nats(directory: Path) -> Iterator[int]:
    """Run nats-server until the block ends; its MQTT port."""
    program, port = need("nats-server"), free_port()
    config = directory / "nats.conf"
    told = {
        "server_name": "one",
        "listen": "127.0.0.1:-1",
        "jetstream": {"store_dir": str(directory / "nats")},
        "mqtt": {"listen": f"127.0.0.1:{port}"},
    }
    config.write_text(json.dumps(told))

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    with (directory / "nats.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
    try:
        until(listens, what="NATS to listen")
        yield port
    finally:
        process.terminate()
        process.wait(10)

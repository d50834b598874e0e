"""A real mosquitto as the external broker, on a port of its own."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.conftest import need
from tests.support.system import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def mosquitto(directory: Path, *, port: int = 0, settings: str = "max_queued_messages 0") -> Iterator[int]:
    """Run mosquitto until the block ends, with nothing kept from before; its port."""
    program, port = need("mosquitto"), port or free_port()
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n{settings}\n")
    with (directory / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(config), "-v"], stdout=log, stderr=log)
    try:
        until(lambda: b"running" in (directory / "mosquitto.log").read_bytes(), what="mosquitto to run")
        yield port
    finally:
        process.terminate()
        process.wait(10)

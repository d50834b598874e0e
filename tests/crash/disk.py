"""A small disk for the state directory that can be filled up and emptied again. Needs root."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

from tests.conftest import need

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

MEGABYTES = 48


class SmallDisk:
    """A memory disk mounted at a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ballast = directory / "ballast"

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        options = ("-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0700", "tmpfs")
        subprocess.run((need("mount"), *options, str(self._directory)), check=True, capture_output=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run((need("umount"), "--lazy", str(self._directory)), check=True, capture_output=True)

    async def full(self, seconds: float) -> None:
        """Take every free byte for a while."""
        await asyncio.to_thread(self._fill)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._ballast.unlink(missing_ok=True)

    def _fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as ballast:
            for size in (2**20, 4096, 1):
                try:
                    while ballast.write(b"\0" * size):
                        pass
                except OSError:
                    continue

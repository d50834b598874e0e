"""A network namespace of its own for a device: its link can be taken down, as a phone's is in a tunnel. Needs root."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from typing import TYPE_CHECKING

from tests.conftest import need

if TYPE_CHECKING:
    from typing import Self

_NUMBERS = itertools.count(1)


class Namespace:
    """A namespace that is joined to the host by one virtual cable: the host is at `host`."""

    def __init__(self) -> None:
        number = next(_NUMBERS)
        self._ip = need("ip")
        self._name = f"pb{os.getpid()}n{number}"
        self._cable = (f"pbh{os.getpid() % 100_000}x{number}", f"pbd{os.getpid() % 100_000}x{number}")
        network = f"10.{200 + os.getpid() % 50}.{number % 250}"
        self.host = f"{network}.1"
        self._guest = f"{network}.2"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs inside."""
        return (self._ip, "netns", "exec", self._name)

    def __enter__(self) -> Self:
        outside, inside = self._cable
        self._do("netns", "add", self._name)
        try:
            self._do("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", self._name)
            self._do("address", "add", f"{self.host}/30", "dev", outside)
            self._do("link", "set", outside, "up")
            self._do("-n", self._name, "address", "add", f"{self._guest}/30", "dev", inside)
            self._do("-n", self._name, "link", "set", inside, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._do("netns", "delete", self._name)  # the cable goes with it

    async def down(self, seconds: float) -> None:
        """Take the link down for a while: packets vanish, connections stay."""
        inside = self._cable[1]
        await asyncio.to_thread(self._do, "-n", self._name, "link", "set", inside, "down")
        try:
            await asyncio.sleep(seconds)
        finally:
            self._do("-n", self._name, "link", "set", inside, "up")

    def _do(self, *arguments: str) -> None:
        subprocess.run((self._ip, *arguments), check=True, capture_output=True)

"""How a device reaches its broker and logs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from clients.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Login:
    """How a device reaches its broker. `keepalive_s` is what CONNECT declares: the longest silence."""

    endpoint: Endpoint
    username: str
    password: str
    keepalive_s: int
    ca_file: Path | None = None

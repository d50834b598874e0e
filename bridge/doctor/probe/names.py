"""What the throw-away accounts of a probe are called: nobody else is (`bridge.directory.PROBES`). Pure."""

from __future__ import annotations

from typing import Final

from bridge.directory import PROBES

USERS: Final = (f"{PROBES}a", f"{PROBES}b")
DEVICE: Final = "probe"

"""Settings as a configuration would say them: plain values by section and key, read as those of a file are."""

from __future__ import annotations

from typing import Any

from bridge.config.section import read
from bridge.config.settings import Settings


def configured(**said: Any) -> Settings:
    """The settings, with defaults for what is not said; raises UnusableError."""
    return read(Settings, said)

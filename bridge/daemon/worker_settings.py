"""What a worker has to know of the configuration."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.ingress import IngressSettings
    from bridge.intake import Beliefs


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker is told when it begins, and again at a reload; `name` is whom the log calls it."""

    name: str
    ingress: IngressSettings
    beliefs: Beliefs
    spool_dir: Path
    log_level: str
    log_style: str

    def packed(self) -> bytes:
        """As it goes over the line."""
        return pickle.dumps(self)

"""One request to a push service, ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PushLetter:
    """One request: where it goes, its fields and its body."""

    endpoint: str
    host: str
    fields: Mapping[str, str]
    body: bytes


class UndeliveredError(PostbellError):
    """A push service could not be asked; the text says why, in a few words."""

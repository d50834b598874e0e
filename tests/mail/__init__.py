"""The messages that tests read: those in this folder, written for Postbell, and foreign ones where they are.

Each folder here has an `expected.json`: for every file the values that must come out, by the names of
`Extract`, flags by their names, and in `text_contains` what its readable text must hold. The 150
foreign messages are not ours to publish; they lie beside the repository, or nowhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridge.mail.digest import ContentDigest

OWN = Path(__file__).parent
FOREIGN = OWN.parents[2] / "shared" / "mail"


def own() -> list[Path]:
    """The messages of the repository."""
    return sorted(OWN.rglob("*.eml"))


def foreign() -> list[Path]:
    """The foreign messages; none where they are not."""
    return [path for path in sorted(FOREIGN.glob("*/*.eml")) if path.parent.name != "made"]


def expected() -> dict[str, dict[str, Any]]:
    """What must come out of the messages of the repository, by their paths in this folder."""
    return {
        f"{told.parent.name}/{name}": values
        for told in sorted(OWN.glob("*/expected.json"))
        for name, values in json.loads(told.read_text()).items()
    }


def content_digest(raw: bytes) -> bytes:
    """The content digest of a whole message at once."""
    digest = ContentDigest()
    digest.update(raw)
    return digest.digest()

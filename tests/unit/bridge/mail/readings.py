"""Prints what this Python reads from mails: `python -m tests.unit.bridge.mail.readings FOLDER …`.

One JSON array on a line a message: its path, and all values that Postbell takes from it. It needs
no more than reading mail does, so that any interpreter with those packages can run it; the test
beside it compares what several of them print.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.mail import content, mime
from bridge.mail.headers import extract
from tests.mail import content_digest

if TYPE_CHECKING:
    from collections.abc import Iterator


def values(raw: bytes) -> dict[str, Any]:
    """All that is read from a message, as JSON has it; texts and bodies of parts as their hashes."""
    extracted = extract(raw, size=len(raw), authserv_ids=frozenset({"mx"}), spam_headers=("X-Spam-Flag",))
    parts = mime.parts(raw)
    bodies = [content.decoded(raw, part) for part in parts]
    return {
        "extract": asdict(extracted),
        "parts": [asdict(part) for part in parts],
        "bodies": [hashlib.sha256(body).hexdigest() for body in bodies],
        "text": hashlib.sha256(content.readable_text(raw).encode()).hexdigest(),
        "digest": content_digest(raw).hex(),
    }


def lines(folders: list[str]) -> Iterator[str]:
    """One JSON text `[path, values]` for every message in the folders."""
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.eml")):
            yield json.dumps([str(path), values(path.read_bytes())], sort_keys=True)


if __name__ == "__main__":
    for line in lines(sys.argv[1:]):
        print(line)  # noqa: T201 - its purpose

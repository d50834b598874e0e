"""The mail of a run: every message carries a marker by which it is known from sender to screen."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

MARKER = re.compile(r"\bm\d{5}\b")
DOMAIN = "example.org"
LARGE = 400_000
"""Bytes of a large body: it goes through the spool, not through the database."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to hand over."""

    marker: str
    users: tuple[str, ...]
    recipients: tuple[str, ...]
    raw: bytes
    repeatable: bool
    """It has a Message-ID: handed over twice, it rings once."""
    lmtp: bool


def marker_in(subject: str) -> str:
    """The marker in a subject, or an empty string."""
    found = MARKER.search(subject)
    return found[0] if found else ""


def draw(number: int, *, seed: int, users: tuple[str, ...]) -> Mail:
    """Message number so and so of a seed."""
    chance = random.Random(f"{seed}/{number}")
    marker = f"m{number:05d}"
    to = users if chance.random() < 0.25 else (chance.choice(users),)
    recipients = [f"{user}@{DOMAIN}" for user in to]
    if chance.random() < 0.1:
        recipients.append(f"{to[0]}+again@{DOMAIN}")
    repeatable = chance.random() < 0.85
    length = LARGE if chance.random() < 0.01 else chance.randint(10, 3000)
    head = [f"From: Sender <s{number}@example.net>", f"To: {', '.join(recipients)}", f"Subject: {marker} of this run"]
    if repeatable:
        head.append(f"Message-ID: <{marker}.{seed}@example.net>")
    body = (f"This is {marker}. " + "word " * (length // 5)).strip()
    lines = [body[start : start + 70] for start in range(0, len(body), 70)]
    raw = "\r\n".join([*head, "", *lines, ""]).encode()
    return Mail(marker, to, tuple(recipients), raw, repeatable, chance.random() < 0.2)

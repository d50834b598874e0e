"""The link that pairs the web client: its login behind the `#`, which no browser sends and no server logs. Pure."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.config.endpoints import WebUrl


USUAL_ROOT = "mail"
"""The root of all mail topics that need not be told."""


def link(web: WebUrl, *, user: str, device: str, password: str, root: str = USUAL_ROOT) -> str:
    """`https://host/#pair=…`: base64url (RFC 4648 §5), no padding, of JSON with `u`, `d`, `p`, and `r` if need be."""
    login = {"u": user, "d": device, "p": password} | ({} if root == USUAL_ROOT else {"r": root})
    octets = json.dumps(login, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{web}/#pair={urlsafe_b64encode(octets).decode().rstrip('=')}"

"""The link that pairs the web client: its login behind the `#`, which no browser sends and no server logs. Pure."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.config.endpoints import WebUrl


def link(web: WebUrl, *, user: str, device: str, password: str) -> str:
    """`https://host/#pair=…`: base64url (RFC 4648 §5) without padding, of JSON with `u`, `d` and `p`."""
    login = json.dumps({"u": user, "d": device, "p": password}, ensure_ascii=False, separators=(",", ":"))
    return f"{web}/#pair={urlsafe_b64encode(login.encode()).decode().rstrip('=')}"

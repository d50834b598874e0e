"""The login of the reference client on the server itself, where nobody has to type a password.

Whoever may write the database is given one. It is always the same, since the broker ends the session
of a password that was replaced, with all that waits in it: a second `watch` or `read` must not cost
the first one its session, nor a restart its queue. It follows from a key beside the database, and the
database has its hash alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING

from bridge.cli import opening
from bridge.store import logins, offline, pairing

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.settings import Settings

KEY_FILE, KEY_BYTES = "local.key", 32


def may_log_in(settings: Settings) -> bool:
    """Whether this process may give itself a login: the database is there, and it may write it."""
    return not settings.store.url and os.access(settings.database, os.W_OK)


def admitted(settings: Settings, user: str, device: str) -> str:
    """The password of a device, which the broker knows from now on; raises PeopleError when there is no such device."""
    with offline.reading(settings.place) as connection:
        pairing.require_device(connection, user, device)
    username = pairing.username(user, device)
    password = derived(key(settings.state_dir / KEY_FILE), username)
    with opening.changing(settings) as transaction:
        logins.admit(transaction, username, password, label="local", role="device")
    return password


def derived(secret: bytes, username: str) -> str:
    """The local password of a login: 160 bits that nobody knows who cannot read the key."""
    digest = hmac.digest(secret, b"postbell local login\0" + username.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[: logins.PASSWORD_BYTES]).decode().rstrip("=")


def key(path: Path) -> bytes:
    """The key of this installation, made when there is none or a torn one."""
    if path.exists() and path.stat().st_size != KEY_BYTES:
        path.unlink()
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(fresh, path)  # of two who make one at once, both use the same
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()

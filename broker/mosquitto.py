"""The same rules for mosquitto, for those who run it instead of the embedded broker. Pure.

Mosquitto filters at delivery, so a device may subscribe to its whole tree; the topics of that tree
are listed one by one because a pattern cannot take `alice` out of the username `alice.phone`.
`use_username_as_clientid` is part of the rules: without it any user could take over another's session.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from broker.acl import STATUS_ROOT, Identity, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

_ITERATIONS = 101  # mosquitto's own default; the passwords are random, so more would only slow down reconnects


def acl_file(logins: Iterable[Identity], *, root: str) -> str:
    """The text of `acl_file`: who may read and write what."""
    return "\n".join(line for who in logins for line in (f"user {who.username}", *_rules(who, root), ""))


def password_line(username: str, password: str, salt: bytes) -> str:
    """One line of `password_file`. `salt` is 12 random bytes."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{username}:$7${_ITERATIONS}${'$'.join(parts)}"


def configuration(*, listen: str, acl: str, passwords: str, persistence: str) -> str:
    """The text of `mosquitto.conf`. `listen` is host:port, the rest are paths, `persistence` of a directory."""
    host, _, port = listen.rpartition(":")
    return "\n".join(
        (
            f"listener {port} {host.strip('[]')}",
            "allow_anonymous false",
            "use_username_as_clientid true",
            f"password_file {passwords}",
            f"acl_file {acl}",
            "persistence true",
            f"persistence_location {persistence.rstrip('/')}/",
            "autosave_on_changes false",  # true: the interval counts changes, and each writes the whole database
            "autosave_interval 1",
            "max_queued_messages 10000",
            "max_inflight_messages 64",
            "persistent_client_expiration 30d",
            "",
        )
    )


def _rules(who: Identity, root: str) -> list[str]:
    if who.role is Role.DEVICE:
        tree = f"{root}/{who.user}"
        return [
            f"topic read {tree}/+",
            f"topic read {tree}/msg/+",
            f"topic read {tree}/do/+",
            f"topic read {tree}/re/{who.device}",
            f"topic read {STATUS_ROOT}/+/status",
            f"topic write {tree}/do/{who.device}",
        ]
    access = "readwrite" if who.role is Role.BRIDGE else "read"
    return [f"topic {access} {root}/#", f"topic {access} {STATUS_ROOT}/#", "topic read $SYS/#"]

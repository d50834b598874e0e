"""The same rules for mosquitto, for those who run it instead of the embedded broker. Pure.

Mosquitto filters at delivery, so a device may subscribe to its whole tree; the topics of that tree
are listed one by one because a pattern cannot take `alice` out of the username `alice.phone`.
`use_username_as_clientid` is part of the rules: without it any user could take over another's session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.acl import STATUS_ROOT, Identity, Role

if TYPE_CHECKING:
    from collections.abc import Iterable


def acl_file(logins: Iterable[Identity], *, root: str) -> str:
    """The text of `acl_file`: who may read and write what."""
    return "\n".join(line for who in logins for line in (f"user {who.username}", *_rules(who, root), ""))


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

"""What a client and the broker agree upon at CONNECT: how long the session lasts, how much silence, and more. Pure.

A client of MQTT 5 is told where the broker's will is another than its own; an older one is served as it wishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from broker.acl import Role
from broker.wire.packets import V5, Terms

if TYPE_CHECKING:
    from broker.acl import Identity
    from broker.wire.packets import Connect

RECEIVE_MAXIMUM: Final = 1024
"""Messages of QoS 1 and 2 that a client may have sent and not seen acknowledged to the end (§3.2.2.3.3)."""
ALIAS_MAXIMUM: Final = 16
"""Topics that a client may give a number to (§3.2.2.3.8)."""
LONGEST_KEEP_ALIVE_S: Final = 14_400
"""More silence no device of MQTT 5 is granted: one that is gone would be thought to be there for most of a day."""
_TERMS: Final = 40  # bytes of a CONNACK with all of it, but for the text of an assigned client id


def least_packet(connect: Connect) -> int:
    """How large a packet a client has to take, in bytes, so that it can be told all of this; no mail is as short."""
    return _TERMS + (0 if connect.client_id else len((connect.username or "").encode()))


def keep_alive_s(connect: Connect, who: Identity, *, least: int) -> int:
    """The keep alive that holds (§3.1.2.10): a device of MQTT 5 has at least so many seconds, and a bound above.

    A device that wants to be asked for nothing, with 0, has the least. 0 for `least` leaves it to the devices. The
    bridge and administrators have what they ask for: they sit beside the broker, and have no radio to keep silent.
    """
    asked = connect.keep_alive
    if connect.level < V5 or who.role is not Role.DEVICE or not least:
        return asked
    return min(max(asked, least), max(LONGEST_KEEP_ALIVE_S, least))


def agreed(connect: Connect, who: Identity, *, keep_alive: int, session_s: int, packet: int) -> Terms:
    """What CONNACK tells a client of MQTT 5.

    `keep_alive` and `session_s` are what holds, in seconds; `packet` is the largest that it may send, in bytes. Who has
    no client id is told his username: a session belongs to that whatever the id, so it is the one that stays right.
    """
    return Terms(
        session_s=session_s if session_s != connect.session_s else None,
        receive_maximum=RECEIVE_MAXIMUM,
        packet_maximum=packet,
        alias_maximum=ALIAS_MAXIMUM,
        client_id=None if connect.client_id else who.username,
        keep_alive=keep_alive if keep_alive != connect.keep_alive else None,
    )

"""Reason codes of MQTT 5 (§2.4), and what stands for them in the older versions. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """Those that this broker sends or looks at."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    UNSPECIFIED = 0x80
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC = 0x83
    UNSUPPORTED_VERSION = 0x84
    CLIENT_ID_NOT_VALID = 0x85
    BAD_LOGIN = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    TAKEN_OVER = 0x8E
    FILTER_INVALID = 0x8F
    TOPIC_INVALID = 0x90
    PACKET_ID_IN_USE = 0x91
    PACKET_ID_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE = 0x98
    SERVER_MOVED = 0x9D
    SHARED_UNSUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F


CONNACK_3: Final[dict[int, int]] = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_VERSION: 1,
    Reason.CLIENT_ID_NOT_VALID: 2,
    Reason.SERVER_UNAVAILABLE: 3,
    Reason.SERVER_BUSY: 3,
    Reason.QUOTA_EXCEEDED: 3,
    Reason.BAD_LOGIN: 4,
    Reason.NOT_AUTHORIZED: 5,
}
"""The return code of a CONNACK in 3.1 and 3.1.1 (§3.2.2.3)."""

ENDED: Final = {
    "taken_over": Reason.TAKEN_OVER,
    "keepalive": Reason.KEEP_ALIVE_TIMEOUT,
    "shutdown": Reason.SERVER_SHUTTING_DOWN,
    "revoked": Reason.ADMINISTRATIVE,
    "moved": Reason.SERVER_MOVED,
    "password_replaced": Reason.NOT_AUTHORIZED,
    "slow_reader": Reason.QUOTA_EXCEEDED,
}
"""What a DISCONNECT says where the broker ends a connection, by the reason that is logged."""

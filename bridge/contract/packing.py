"""MessagePack as the contract uses it: arrays by position, the version first."""

from __future__ import annotations

from typing import Any

import msgpack

VERSION = 1
"""The first element of every array; another one is another version of the contract."""


def pack(value: Any) -> bytes:
    """A value as MessagePack."""
    packed: bytes = msgpack.packb(value)
    return packed


def unpack(payload: bytes) -> Any:
    """The value in a payload; raises ValueError or `msgpack.UnpackException` when it is none."""
    return msgpack.unpackb(payload)

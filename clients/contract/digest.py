"""The box digest, by which a device proves that it has all (docs/protocol.md, "Box digest")."""

from __future__ import annotations

from dataclasses import dataclass

from clients.contract.elements import STATE_BYTES, array, check_version, integer
from clients.contract.errors import MalformedError
from clients.contract.ids import valid_id


@dataclass(frozen=True, slots=True)
class Digest:
    """How many mails are live, the XOR of their ids' CRC-32, and the newest id."""

    live: int = 0
    check: int = 0
    newest_id: str = ""


def decode_digest(payload: bytes) -> Digest:
    """The box digest in a payload; an empty box is `[1]`."""
    elements = array(payload, limit=STATE_BYTES)
    check_version(elements)
    if len(elements) == 1:
        return Digest()
    if len(elements) < 4:
        raise MalformedError("the digest is too short")
    live, check, newest_id = integer(elements[1], "live"), integer(elements[2], "check"), elements[3]
    if check >= 2**32:
        raise MalformedError("check has more than 32 bits")
    if live == 0:
        return Digest()
    if not isinstance(newest_id, str) or not valid_id(newest_id):
        raise MalformedError("newest_id is not a message id")
    return Digest(live, check, newest_id)

"""What of the contract no client of ours needs: the digest of a whole box at once, and the answer to `recent`."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from clients.contract.digest import Digest
from clients.contract.elements import REPLY_BYTES, array
from clients.contract.errors import MalformedError, UnknownVersionError
from clients.contract.header import Header, header_of
from clients.contract.ids import valid_id

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest_of(ids: Iterable[str]) -> Digest:
    """The digest that a box with exactly these ids has."""
    live, check, newest_id = 0, 0, ""
    for mail_id in ids:
        live += 1
        check ^= zlib.crc32(mail_id.encode("ascii"))
        newest_id = max(newest_id, mail_id)
    return Digest(live, check, newest_id)


def decode_recent(answer: bytes) -> list[tuple[str, Header]]:
    """The whole answer to `recent`: ids with headers; headers of another version are left out."""
    mails = []
    for entry in array(answer, limit=REPLY_BYTES):
        if not (isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[0], str)):
            raise MalformedError("not an id with its header")
        if not valid_id(entry[0]) or not isinstance(entry[1], list):
            raise MalformedError("not an id with its header")
        try:
            mails.append((entry[0], header_of(entry[1])))
        except UnknownVersionError:
            continue
    return mails

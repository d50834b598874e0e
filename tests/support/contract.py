"""What of the contract no client of ours needs: the digest of a whole box at once."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from clients.contract.digest import Digest

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

"""Patterns: whom or what list a mail is from, in one canonical spelling each."""

from __future__ import annotations

import re

from bridge.directory import normalise
from bridge.errors import MalformedAddressError

_LIST_ID = re.compile(r"[!-;=?A-~]{1,200}\.[!-;=?A-~]{1,54}")


def canonical(text: str) -> str:
    """An address, `@domain` or a list id (RFC 2919 §3), in lower case; else ValueError says what to write."""
    plain = text.strip()
    if plain.startswith("<") and plain.endswith(">"):
        plain = plain[1:-1]
    if "@" in plain:
        try:
            return normalise(plain).casefold()
        except MalformedAddressError as error:
            raise ValueError("write an address, @domain or the id of a mailing list") from error
    if not _LIST_ID.fullmatch(plain):
        raise ValueError("write an address, @domain or the id of a mailing list, as in its List-Id field")
    return plain.lower()


def matching(from_address: str, list_id: str) -> set[str]:
    """The patterns that match a message, whichever are set; a sender's address need not be a valid one."""
    try:
        address = normalise(from_address).casefold()
    except MalformedAddressError:
        address = from_address.casefold()
    domain = address.rpartition("@")[2]
    return {address, f"@{domain}", list_id.lower()}

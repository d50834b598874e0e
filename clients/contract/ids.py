"""The ids of mails, which carry the moment of arrival (docs/protocol.md, "Message ids")."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import reduce

from clients.contract.errors import MalformedError

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
"""The zero of all ids."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(f"[{_DIGITS}]{{9}}")


def valid_id(text: str) -> bool:
    """Whether the text is the id of a mail: nine digits of lower-case Crockford base32."""
    return _ID.fullmatch(text) is not None


def id_number(mail_id: str) -> int:
    """The milliseconds since EPOCH that an id carries; raises MalformedError for what is no id."""
    if not valid_id(mail_id):
        raise MalformedError("not a message id")
    return reduce(lambda number, digit: number << 5 | _DIGITS.index(digit), mail_id, 0)


def received(mail_id: str) -> datetime:
    """When the mail was accepted, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=id_number(mail_id))

"""The ids of mails: nine characters that sort by time and carry the arrival time.

An id is the number of milliseconds since 2025-01-01T00:00:00Z at which a message was accepted, in
Crockford base32, lower case, most significant digit first. 45 bits last until the year 3139.
"""

from __future__ import annotations

import re
from functools import lru_cache

EPOCH_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z in Unix milliseconds: the zero of all ids."""

LENGTH = 9
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_VALUES: dict[str, int] = {digit: value for value, digit in enumerate(_DIGITS)}
_SHAPE = re.compile(f"[{_DIGITS}]{{{LENGTH}}}")
END: int = 32**LENGTH
"""The first number that is too large for an id."""
_LARGEST = END - 1


@lru_cache(maxsize=1024)  # each mail is named a dozen times while it comes
def encode(number: int) -> str:
    """The id text of a number of milliseconds; raises ValueError outside 0 … 2^45-1."""
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"{number} does not fit in an id")
    pairs = _PAIRS
    return (
        f"{_DIGITS[number >> 40]}{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}"
        f"{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


def decode(text: str) -> int:
    """The number of an id text; raises ValueError unless it is exactly nine digits of the alphabet."""
    if not _SHAPE.fullmatch(text):
        raise ValueError("not a message id")
    number: int = 0
    for digit in text:
        number = number * 32 + _VALUES[digit]
    return number


def at(unix_ms: int) -> int:
    """The number that belongs to a moment; moments before the epoch count as the epoch."""
    return min(max(unix_ms - EPOCH_MS, 0), _LARGEST)


def following(last: int, *, unix_ms: int) -> int:
    """The number for a message accepted now: its moment, but always larger than the user's last one."""
    return max(at(unix_ms), last + 1)


def received_ms(number: int) -> int:
    """When a message was accepted, in Unix milliseconds."""
    return EPOCH_MS + number

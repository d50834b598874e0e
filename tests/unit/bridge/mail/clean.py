"""What every test of reading wants of a mail: its values, the time they took, and that they are clean."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from bridge.mail.headers import extract
from tests.support.processor import least_s

if TYPE_CHECKING:
    from bridge.model import Extract


def read(raw: bytes, **options: Any) -> Extract:
    """What is read from a whole message."""
    return extract(raw, size=len(raw), **options)


def processor_s(raw: bytes, *, bound_s: float) -> float:
    """Seconds of processor time that reading it takes, of which one run below `bound_s` is enough."""
    return least_s(lambda: read(raw), bound_s=bound_s)


def assert_clean(extracted: Extract) -> None:
    """Text that may be shown: one line, NFC, within its limits; names and addresses hide nothing."""
    for text in (extracted.from_name, extracted.from_address, extracted.subject, extracted.snippet):
        text.encode()  # no surrogates
        assert unicodedata.is_normalized("NFC", text)
        assert not [c for c in text if unicodedata.category(c) == "Cc"]
        assert len(text.splitlines()) <= 1
    for text in (extracted.from_name, extracted.from_address):
        assert not set(text) & set(
            "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\u00ad"
        )
    assert len(extracted.snippet) <= 200
    assert len(extracted.from_name) <= 200
    assert len(extracted.from_address) <= 320

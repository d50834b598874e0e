"""Whatever a stranger sends is read in bounded time and memory, into clean text."""

from __future__ import annotations

import base64
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.bridge.mail.clean import assert_clean, read


def test_a_field_of_a_mebibyte_costs_little_memory():
    raw = b"From: a\n" + b" b\n" * 349_000
    tracemalloc.start()
    try:
        read(raw)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=400))
def test_any_bytes_give_clean_text(raw):
    assert_clean(read(raw))


@given(name=st.text(max_size=60), subject=st.text(max_size=60))
def test_any_text_survives_being_sent_encoded(name, subject):
    def word(text):
        return b"=?utf-8?b?" + base64.b64encode(text.encode("utf-8", "replace")) + b"?="

    extracted = read(b"From: " + word(name) + b" <a@example.org>\r\nSubject: " + word(subject) + b"\r\n\r\nx")
    assert_clean(extracted)
    assert extracted.from_address == "a@example.org"
    if subject.isascii() and subject.isprintable() and ":" not in subject:
        assert extracted.subject == " ".join(subject.split())

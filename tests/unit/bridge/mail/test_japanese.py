"""ISO-2022-JP of mail programs: row 13 of NEC, kana of half width, and bytes that are none of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import charsets, japanese
from tests.support.processor import least_s

CELLS = range(0x21, 0x7F)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b$B-!\x1b(B\x1b$BCmJ8$G$9!#\x1b(B", "①注文です。"),
        (b"\x1b$B-j@D6u-5\x1b(B ok", "㈱青空Ⅰ ok"),
        (b"\x1b$@-!\x1b(Ja\x1b$B-2-2\x1b(B", "①a⑱⑱"),
        (b"\x1b$B|b\x1b(B \x1b(I1\x1b(B", "髙 ｱ"),
        (b"\x1b$B-!\x0e1\x0f", "①ｱ"),
        (b'\x1b$B-!\r\nplain\r\n\x1b$B-"\x1b(B', "①\r\nplain\r\n②"),
        (b"\x1b$B-!!A\x1b(B", "①〜"),
        (b"\x1b$B-!\x1b$(D0!\x1b(B", "①丂"),
        (b"\x1b$B-!-", "①\ufffd"),
        (b"\x1b$B-!\x1b(B\xff", "①\ufffd"),
        (b"a\x0e1\xff", "a\x0e1\ufffd"),
    ],
)
def test_what_stands_in_mails(data, text):
    assert japanese.decode(data) == text
    assert charsets.decode(data, "ISO-2022-JP") == text


def test_every_character_of_the_standard_is_read_as_its_codec_does():
    for row in CELLS:
        valid = [cell for cell in CELLS if _standard(row, cell)]
        line = b"".join(bytes([row, cell]) for cell in valid)
        mixed = japanese.decode(b"\x1b$B-!" + line + b"\x1b(B")
        assert mixed == "①" + "".join(_standard(row, cell) for cell in valid)


def _standard(row: int, cell: int) -> str:
    try:
        return (b"\x1b$B" + bytes([row, cell]) + b"\x1b(B").decode("iso2022_jp_ext")
    except UnicodeDecodeError:
        return ""


@given(
    st.lists(st.sampled_from([b"\x1b$B", b"\x1b(B", b"\x1b(I", b"\x0e", b"\x0f", b"-!", b"\n", b"\xff", b"a"])).map(
        b"".join
    )
)
def test_no_bytes_raise(data):
    assert isinstance(japanese.decode(data), str)


@pytest.mark.parametrize("unit", [b"-!-j", b"-!\x1b$B", b"-!\x1b(B\x1b$B", b"\n", b"\xff"])
def test_half_a_mebibyte_is_read_at_once(unit):
    data = b"\x1b$B-!" + (unit * 524_288)[:524_288]
    assert least_s(lambda: japanese.decode(data), bound_s=0.5) < 0.5  # measured below 0.1

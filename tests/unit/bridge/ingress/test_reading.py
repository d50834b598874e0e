"""Mail data in blocks: the decoder agrees with a naive reading of the whole, at any block boundary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ingress.reading import DataDecoder, LineTooLongError, Unread

BITS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\r\n.", b"\x00"]), max_size=30)


def naive(data: bytes, *, bare: bool = False) -> tuple[bytes, bytes] | None:
    """RFC 5321 §4.5.2 line by line, over everything at once."""
    content = b""
    while True:
        line, end, data = data.partition(b"\n" if bare else b"\r\n")
        if not end:
            return None
        if line in ({b".", b".\r"} if bare else {b"."}):
            return content, data
        content += line.removeprefix(b".") + end


def in_blocks(data: bytes, cuts: list[int], *, bare: bool = False) -> tuple[bytes, bytes | None]:
    decoder, content, begin = DataDecoder(bare=bare), b"", 0
    for cut in [*sorted({c % (len(data) + 1) for c in cuts}), len(data)]:
        part, rest = decoder.feed(data[begin:cut])
        content, begin = content + part, cut
        if rest is not None:
            return content, rest + data[cut:]
    return content, None


@pytest.mark.parametrize("bare", [False, True])
@given(BITS, BITS, st.lists(st.integers(min_value=0), max_size=8))
def test_any_blocks_give_what_the_whole_gives(bare, before, after, cuts):
    data = b"".join(before) + b"\r\n.\r\n" + b"".join(after)
    assert in_blocks(data, cuts, bare=bare) == naive(data, bare=bare)


@pytest.mark.parametrize("bare", [False, True])
@given(BITS, st.lists(st.integers(min_value=0), max_size=8))
def test_without_the_end_nothing_ends(bare, bits, cuts):
    data = b"".join(bits)
    if naive(data, bare=bare) is None:
        assert in_blocks(data, cuts, bare=bare)[1] is None


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\r\n" not in line and not line.endswith(b"\r"))))
def test_what_a_sender_stuffs_comes_back_byte_for_byte(lines):
    stuffed = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
    content, rest = in_blocks(stuffed + b".\r\n", list(range(len(stuffed))))
    assert (content, rest) == (b"".join(line + b"\r\n" for line in lines), b"")


def came(*pieces: bytes) -> Unread:
    incoming = Unread()
    for piece in pieces:
        incoming.add(piece)
    return incoming


def test_lines_come_out_whole_however_they_came_in():
    incoming = came(b"NO", b"OP\r", b"\nRSET\nQU")
    assert [incoming.line(100), incoming.line(100), incoming.line(100)] == [b"NOOP\r\n", b"RSET\n", None]
    incoming.add(b"IT\r\n")
    assert incoming.line(100) == b"QUIT\r\n"
    assert not incoming


def test_a_line_too_long_is_dropped_up_to_its_end():
    incoming = Unread()
    for _ in range(300):
        incoming.add(b"x" * 1000)
        assert incoming.line(100) is None
        assert len(incoming) <= 100
    incoming.add(b"\r\nNOOP\r\n")
    with pytest.raises(LineTooLongError):
        incoming.line(100)
    assert incoming.line(100) == b"NOOP\r\n"
    incoming.add(b"y" * 200 + b"\r\nQUIT\r\n")
    with pytest.raises(LineTooLongError):
        incoming.line(100)
    assert incoming.line(100) == b"QUIT\r\n"


def test_what_is_put_back_is_read_next():
    incoming = came(b"data|RSET\r\n")
    block = incoming.block(100)
    incoming.add(b"QUIT\r\n")
    incoming.unread(block[5:])
    assert [incoming.line(100), incoming.line(100)] == [b"RSET\r\n", b"QUIT\r\n"]


def test_a_block_is_no_longer_than_it_may_be():
    incoming = came(b"NOO")
    assert incoming.line(100) is None
    incoming.add(b"P\r\n" + b"x" * 10)
    assert [incoming.block(4), incoming.block(6)] == [b"NOOP", b"\r\nxxxx"]
    incoming.add(b"\n")
    assert incoming.line(100) == b"x" * 6 + b"\n"


def test_what_is_forgotten_is_not_read():
    incoming = came(b"EHLO c\r\nMAIL")
    assert incoming.line(100)
    incoming.forget()
    incoming.add(b"NOOP\r\n")
    assert incoming.take() == b"NOOP\r\n"

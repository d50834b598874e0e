"""Mail data in blocks: the decoder agrees with a naive reading of the whole, at any block boundary."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ingress.reading import DataDecoder, LineTooLongError, MailReader

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


def reading(story):
    async def run():
        reader = MailReader(loop=asyncio.get_running_loop())
        await asyncio.wait_for(story(reader), 30)

    asyncio.run(run())


def test_a_line_too_long_is_dropped_up_to_its_end():
    async def story(reader):
        reader.feed_data(b"x" * 300_000 + b"\r\nNOOP\r\n")
        with pytest.raises(LineTooLongError):
            await reader.line(100)
        assert await reader.line(100) == b"NOOP\r\n"
        reader.feed_data(b"y" * 200 + b"\r\nQUIT\r\n")
        with pytest.raises(LineTooLongError):
            await reader.line(100)
        assert reader.has_line
        assert await reader.line(100) == b"QUIT\r\n"
        assert not reader.has_line

    reading(story)


def test_what_is_put_back_is_read_next():
    async def story(reader):
        reader.feed_data(b"data|RSET\r\n")
        block = await reader.block()
        reader.feed_data(b"QUIT\r\n")
        reader.unread(block[5:])
        assert await reader.line(100) == b"RSET\r\n"
        assert await reader.line(100) == b"QUIT\r\n"

    reading(story)


def test_the_end_of_the_connection_ends_lines_and_blocks():
    async def story(reader):
        reader.feed_data(b"half a li")
        reader.feed_eof()
        with pytest.raises(EOFError):
            await reader.line(100)
        with pytest.raises(EOFError):
            await reader.block()

    reading(story)

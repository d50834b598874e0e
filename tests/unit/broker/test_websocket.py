"""A WebSocket's frames: so many in a turn, so many of a stranger, so many of one message, and all of an honest one."""

from __future__ import annotations

import asyncio
import functools

import pytest
from websockets.server import ServerProtocol

from broker.turns import Turns
from broker.websocket import SocketLink
from broker.writes import Writes

UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
TEXT, BINARY, CLOSE, PING, MORE = 1, 2, 8, 9, 0


def frame(opcode, payload=b"", *, last=True):
    """A frame whose mask changes nothing (RFC 6455 §5.2)."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([0x80 * last | opcode]) + size + bytes(4) + payload


class Wire(asyncio.Transport):
    """The network, as it is told to be: what is written is taken, or stays."""

    def __init__(self, *, taken=True):
        super().__init__()
        self.sent, self.ended, self.reading, self.closed = bytearray(), False, True, False
        self._taken = taken

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def write(self, data):
        self.sent += data

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.ended = True

    def get_write_buffer_size(self):
        return 0 if self._taken else len(self.sent)

    def is_closing(self):
        return self.closed

    def abort(self):
        self.closed = True

    def get_extra_info(self, _, default=None):
        return default


class Stage:
    """A link on a wire, and how many steps the loop has made."""

    def __init__(self, *, taken=True, turns=None):
        self.loop = asyncio.get_running_loop()
        self.wire = Wire(taken=taken)
        turns = turns or Turns(self.loop.call_soon)
        writes = Writes(self.loop.call_soon)
        self.link = SocketLink(lambda *_: None, writes, turns=turns, max_size=262_144, most_unsent=100_000)
        self.link.connection_made(self.wire)

    def feed(self, data):
        """What the network does with bytes: as much at a time as the link has room for."""
        while data:
            room = self.link.get_buffer(-1)
            piece, data = data[: len(room)], data[len(room) :]
            room[: len(piece)] = piece
            self.link.buffer_updated(len(piece))

    async def say(self, data):
        """Feed bytes and let the loop run until they are dealt with; the steps that it took."""
        self.feed(data)
        steps = 0
        while not self.wire.reading and not self.wire.closed:
            await asyncio.sleep(0)
            steps += 1
            assert steps < 100_000
        return steps

    async def open(self, *, known=True):
        await self.say(UPGRADE)
        assert self.wire.sent.startswith(b"HTTP/1.1 101 ")
        self.wire.sent.clear()
        self.link.known = known

    async def read(self):
        return await asyncio.wait_for(self.link.chunk(), 10)


def story(told):
    @functools.wraps(told)
    def run(*arguments, **named):
        asyncio.run(told(*arguments, **named))

    return run


@story
async def test_a_flood_is_taken_in_a_few_frames_at_a_time():
    stage = Stage()
    await stage.open()
    steps = await stage.say(frame(PING) * 20_000)
    assert stage.wire.sent == b"\x8a\x00" * 20_000
    assert steps >= 20_000 / 200


@story
async def test_answers_that_nobody_reads_end_the_connection():
    stage = Stage(taken=False)
    await stage.open()
    for _ in range(10):
        if not stage.wire.closed:
            await stage.say(frame(PING, b"x" * 125) * 1000)
    assert stage.wire.closed
    assert stage.link.fault == "slow_reader"
    assert len(stage.wire.sent) < 110_000


@pytest.mark.parametrize(
    ("vain", "most"), [(frame(PING), 8), (frame(PING, b"x"), 8), (frame(10), 8), (frame(BINARY), 256)]
)
@story
async def test_the_frames_of_a_stranger_are_counted_though_they_carry_nothing(vain, most):
    """mqtt.js sends an empty value as an empty message."""
    stage = Stage()
    await stage.open(known=False)
    await stage.say(vain * most)
    assert not stage.wire.closed
    await stage.say(vain)
    assert stage.wire.closed
    assert stage.link.fault == "too_many_frames"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(frame(BINARY, b"a"), frame(BINARY, b"a")), (frame(BINARY, b"a", last=False), frame(MORE, b"a", last=False))],
    ids=["messages", "fragments"],
)
@story
async def test_a_stranger_may_send_what_he_says_in_pieces_but_not_in_any_number(begin, piece):
    """mqtt.js sends a CONNECT with twenty user properties in 142."""
    stage = Stage()
    await stage.open(known=False)
    stage.feed(begin + piece * 400)
    got = b""
    while len(got) < 200:
        got += await stage.read()
    assert not stage.wire.closed
    while not stage.wire.closed:
        stage.link.chunk()
        for _ in range(20):
            await asyncio.sleep(0)
        got += b"aa"  # at the least
        assert len(got) < 400
    assert stage.link.fault == "too_many_frames"


@story
async def test_of_a_stranger_nothing_is_looked_at_before_he_is_judged():
    """What he sends behind his login costs nothing until then, and is not lost if he is let in."""
    stage = Stage()
    await stage.open(known=False)
    stage.feed(frame(BINARY, b"x" * 100) * 100)
    got = await stage.read()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert not stage.wire.closed
    assert not stage.wire.reading
    assert len(stage.link._unread) < 1000
    stage.link.known = True
    while len(got) < 10_000:
        got += await stage.read()
    assert got == b"x" * 10_000
    await asyncio.sleep(0)
    assert stage.wire.reading


@pytest.mark.parametrize("part", [b"", b"a"])
@story
async def test_the_fragments_of_one_message_are_counted(part):
    stage = Stage()
    await stage.open()
    fragment = frame(MORE, part, last=False)
    await stage.say(frame(BINARY, last=False) + fragment * 1000 + frame(MORE) + frame(BINARY, last=False))
    assert not stage.wire.closed
    await stage.say(fragment * 1100)
    assert stage.wire.closed
    assert stage.link.fault == "too_many_frames"


@story
async def test_fragments_are_a_stream_and_nothing_is_collected():
    stage = Stage()
    await stage.open()
    await stage.say(frame(BINARY, b"ab", last=False))
    assert await stage.read() == b"ab"
    await stage.say(frame(MORE, b"c", last=False) + frame(PING) + frame(MORE, b"d") + frame(BINARY, b"e"))
    assert await stage.read() == b"cde"


@story
async def test_who_is_not_read_is_not_taken_in_either_and_comes_later():
    stage = Stage()
    await stage.open()
    payload = bytes(range(250))
    stage.feed(frame(BINARY, payload) * 800)
    for _ in range(2000):
        await asyncio.sleep(0)
    assert not stage.wire.reading
    got = bytearray()
    while len(got) < 200_000:
        chunk = await stage.read()
        assert len(chunk) < 70_000
        got += chunk
    assert got == payload * 800
    await asyncio.sleep(0)
    assert stage.wire.reading


@pytest.mark.parametrize("lost", [False, True])
@story
async def test_what_came_before_the_end_is_read(lost):
    stage = Stage()
    await stage.open()
    stage.feed(frame(BINARY, b"x" * 100) * 100)
    if lost:
        stage.wire.closed = True
        stage.link.connection_lost(None)
    else:
        assert stage.link.eof_received() is True
    got = b""
    while chunk := await stage.read():
        got += chunk
    assert got == b"x" * 10_000


@story
async def test_what_is_written_in_one_step_is_one_frame():
    stage = Stage()
    await stage.open()
    stage.link.write(b"ab")
    stage.link.write(b"c")
    assert stage.link.unsent == 3
    await asyncio.sleep(0)
    assert stage.link.unsent == 0
    assert stage.wire.sent == b"\x82\x03abc"
    stage.link.write(b"d")
    stage.link.finish()
    assert stage.wire.sent == b"\x82\x03abc\x82\x01d\x88\x02\x03\xe8"
    stage.link.write(b"late")
    await asyncio.sleep(0)
    assert stage.link.unsent == 0


@story
async def test_what_was_written_before_a_connection_is_cut_is_not_lost():
    """An acknowledgement, when a DISCONNECT came with what it acknowledges."""
    stage = Stage()
    await stage.open()
    stage.link.write(b"PUB")
    stage.link.write(b"ACK")
    stage.link.abort()
    assert stage.wire.sent == b"\x82\x06PUBACK"


@story
async def test_a_close_is_answered():
    stage = Stage()
    await stage.open()
    await stage.say(frame(CLOSE, b"\x03\xe8"))
    assert stage.wire.sent == b"\x88\x02\x03\xe8"
    assert stage.wire.ended


@story
async def test_text_ends_the_stream():
    """[MQTT-6.0.0-1]"""
    stage = Stage()
    await stage.open()
    await stage.say(frame(TEXT, b"x"))
    assert await stage.read() == b""


@pytest.mark.parametrize(
    ("request_", "answer", "reason"),
    [
        (UPGRADE.replace(b"mqtt\r\n", b"chat\r\n"), b"HTTP/1.1 400 ", "no_subprotocol"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 426 ", "not_a_websocket"),
        (UPGRADE.replace(b"Connection: Upgrade", b"Connection: Upgra\xf0de"), b"HTTP/1.1 400 ", "bad_handshake"),
        (UPGRADE.replace(b"Sec-WebSocket-Key", b"X-Key"), b"HTTP/1.1 400 ", "bad_handshake"),
    ],
    ids=["other subprotocol", "no upgrade", "not UTF-8", "no key"],
)
@story
async def test_a_handshake_that_is_wrong_is_refused(request_, answer, reason):
    stage = Stage()
    await stage.say(request_ + frame(CLOSE) + frame(BINARY, b"x"))
    assert stage.wire.sent.startswith(answer)
    assert stage.wire.sent.count(b"HTTP/1.1") == 1
    assert stage.wire.ended
    assert stage.link.refusal == reason


@story
async def test_of_who_was_refused_little_more_is_taken():
    stage = Stage()
    await stage.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await stage.say(b"x" * 60_000)
    assert not stage.wire.closed
    await stage.say(b"x" * 10_000)
    assert stage.wire.closed


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"\x16\x03\x01\x02\r\n\r\n", "not_a_websocket"),
        (b"\x10\x10\x00\x04MQTT\x04\x02", "not_a_websocket"),
        (b"X\r\n", "not_a_websocket"),
        (b"GET / HTTP/1.1\n\r\n\r\n", "bad_handshake"),
        (b"GET / HTTP/1.0\r\n\r\n", "bad_handshake"),
    ],
    ids=["TLS", "MQTT", "garbage", "no line end", "old HTTP"],
)
@story
async def test_what_is_no_request_of_a_websocket_ends_the_connection(request_, reason):
    stage = Stage()
    await stage.say(request_)
    assert stage.wire.closed or stage.wire.ended
    assert stage.wire.sent == b""
    assert stage.link.refusal == reason


ENDLESS = {
    "newlines after a bad request": (b"X\r\n", b"\n"),
    "newlines": (b"GET / HTTP/1.1\r\n", b"\n"),
    "header lines": (b"GET / HTTP/1.1\r\n", b"a:b\r\n"),
    "one header line": (b"GET / HTTP/1.1\r\nA: ", b"a"),
    "a path": (b"GET /", b"a"),
}


@pytest.fixture
def parsed(monkeypatch):
    """How often the library was given something to parse."""
    calls, parse = [], ServerProtocol.receive_data

    def receive_data(self, data):
        calls.append(data)
        parse(self, data)

    monkeypatch.setattr(ServerProtocol, "receive_data", receive_data)
    return calls


@pytest.mark.parametrize("crowd", [1, 100])
@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_a_request_without_an_end_is_given_up_before_the_library_sees_it(parsed, begin, more, crowd):
    @story
    async def told():
        stages = [Stage() for _ in range(crowd)]
        for stage in stages:
            stage.feed(begin)
        for _ in range(20):
            for stage in stages:
                if not stage.wire.closed:
                    stage.feed(more * 2000)
                    held = len(stage.link._late) + len(stage.link._handshake._head)
                    assert held <= 40_000
            for _ in range(crowd):
                await asyncio.sleep(0)
        assert all(stage.wire.closed for stage in stages)
        assert {stage.link.refusal for stage in stages} <= {"not_a_websocket", "bad_handshake"}
        assert parsed == []

    told()


def test_a_request_in_single_bytes_is_parsed_once_and_answered(parsed):
    @story
    async def told():
        stage = Stage()
        for octet in UPGRADE:
            await stage.say(bytes([octet]))
        assert parsed == [UPGRADE]
        assert stage.wire.sent.startswith(b"HTTP/1.1 101 ")

    told()


@pytest.mark.parametrize(("lines", "answered"), [(90, True), (100, False)])
@story
async def test_a_browser_may_send_many_headers(lines, answered):
    stage = Stage()
    await stage.say(UPGRADE.replace(b"Host: x\r\n", b"Host: x\r\n" + b"X-Header: 0123456789\r\n" * lines))
    assert stage.wire.sent.startswith(b"HTTP/1.1 101 ") is answered
    assert stage.link.refusal == (None if answered else "bad_handshake")


@story
async def test_requests_cost_turns():
    """A hundred that come at once are answered in many steps of the loop."""
    turns = Turns(asyncio.get_running_loop().call_soon)
    stages = [Stage(turns=turns) for _ in range(100)]
    for stage in stages:
        stage.feed(UPGRADE)
    most = done = 0
    while done < 100:
        await asyncio.sleep(0)
        before, done = done, sum(bool(stage.wire.sent) for stage in stages)
        most = max(most, done - before)
    assert most <= 4


@story
async def test_a_stranger_is_not_given_room_for_a_large_frame():
    size = b"\xff" + (200_000).to_bytes(8, "big") + bytes(4)
    for known in (False, True):
        stage = Stage()
        await stage.open(known=known)
        await stage.say(b"\x82" + size + b"x" * 30_000)
        assert not stage.wire.closed
        await stage.say(b"x" * 10_000)
        assert stage.wire.closed is not known
        assert stage.link.fault == (None if known else "too_large_frame")


@story
async def test_frames_behind_the_request_wait_for_its_answer():
    stage = Stage()
    await stage.say(UPGRADE + frame(BINARY, b"x") + frame(CLOSE))
    assert stage.wire.sent.startswith(b"HTTP/1.1 101 ")
    assert stage.wire.sent.endswith(b"\r\n\r\n\x88\x00")
    assert await stage.read() == b"x"

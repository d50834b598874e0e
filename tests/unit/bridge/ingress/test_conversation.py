"""A conversation in the moments that a network seldom brings about: each step of the loop is taken by hand."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from bridge.ingress import conversation
from bridge.ingress.context import IngressContext
from bridge.ingress.conversation import REPLIES_IN_HAND, TURN_COMMANDS, Conversation
from bridge.ingress.limits import Gate, SessionLimits
from bridge.ingress.receipt import BLOCK_BYTES
from bridge.ingress.server import DIALECTS
from bridge.ingress.trust import Trust
from bridge.spool import Spool
from tests.support.ingress import HOST, Recorder
from tests.support.waiting import until_on_loop

PEER = "127.0.0.1"
MAIL = b"EHLO c\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"
LARGE = b"x" * 98 + b"\r\n"


class Network(asyncio.Transport):
    """A transport with nobody at the other end; it keeps what was said."""

    def __init__(self):
        super().__init__()
        self.said, self.reading, self.ended = b"", True, False

    def get_extra_info(self, _name, default=None):
        del default
        return (PEER, 5)

    def write(self, data):
        self.said += bytes(data)

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.ended = True

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def close(self):
        self.ended = True

    abort = close

    @property
    def codes(self):
        """Those of all replies."""
        lines = self.said.decode().split("\r\n")
        return [line[:3] for line in lines if line[3:4] == " "]


class World:
    """A conversation that has just begun."""

    def __init__(self, spool, *, dialect="smtp", **context):
        self.spool = spool
        self.intake = Recorder(spool=spool)
        limits = SessionLimits()
        self.gate = Gate(limits)
        self.context = IngressContext(
            **{
                "intake": self.intake,
                "spool": spool,
                "gate": self.gate,
                "limits": limits,
                "trust": Trust(),
                "hostname": HOST,
                "max_size": 2**20,
                **context,
            }
        )
        self.network = Network()
        self.talk = Conversation(self.context, DIALECTS[dialect])
        self.talk.connection_made(self.network)

    async def answered(self, count):
        """Wait for so many replies, the greeting among them."""
        await until_on_loop(lambda: len(self.network.codes) >= count, what=f"{count} replies")

    async def over(self):
        """The connection goes, and nothing is left of it."""
        self.talk.connection_lost(None)
        async with asyncio.timeout(60):
            await self.talk.ended
        assert self.gate.open == 0
        assert not self.context.sessions._open


def told(tmp_path, story, *, memory_limit=128 * 1024, **options):
    """Run a story with a conversation; the spool has done all its work behind it."""

    async def run():
        spool = Spool(tmp_path / "spool", memory_limit=memory_limit)
        try:
            await story(World(spool, **options))
        finally:
            spool.close()

    asyncio.run(run())


def spooled(tmp_path):
    return len(list((tmp_path / "spool").iterdir()))


# --- a turn ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("further", [b"", b"NOOP\r\n"])
def test_the_last_command_of_a_turn_may_be_the_last_of_all(tmp_path, further):
    async def story(world):
        world.talk.data_received(b"NOOP\r\n" * (TURN_COMMANDS - 1) + b"QUIT\r\n" + further)
        assert world.network.codes == ["220"] + ["250"] * (TURN_COMMANDS - 1) + ["221"]
        assert world.network.ended
        await world.over()

    told(tmp_path, story)


def test_who_is_stopped_between_two_turns_is_told_and_obeyed_no_more(tmp_path):
    async def story(world):
        world.talk.data_received(b"NOOP\r\n" * (3 * TURN_COMMANDS))
        world.talk.stop()
        for _ in range(5):
            await asyncio.sleep(0)
        assert world.network.codes == ["220"] + ["250"] * TURN_COMMANDS + ["421"]
        await world.over()

    told(tmp_path, story)


def test_many_answers_go_out_before_more_is_obeyed(tmp_path):
    recipients = b"".join(b"RCPT TO:<u%d@example.org>\r\n" % number for number in range(REPLIES_IN_HAND))
    written = []

    async def story(world):
        network = world.network
        world.talk.data_received(b"LHLO c\r\nMAIL FROM:<>\r\n" + recipients + b"DATA\r\n")
        await world.answered(REPLIES_IN_HAND + 4)
        write = network.write

        def noted(data):
            written.append(data)
            write(data)

        network.write = noted
        world.talk.data_received(b"hello\r\n.\r\nNOOP\r\nQUIT\r\n")
        await world.answered(2 * REPLIES_IN_HAND + 6)
        assert network.codes[-3:] == ["250", "250", "221"]
        await world.over()

    told(tmp_path, story, dialect="lmtp")
    first, *_ = written
    assert first.count(b"\r\n") == REPLIES_IN_HAND + 1, "the answers, and that to the first command behind them"


# --- defects of ours ------------------------------------------------------------------------------------


def test_where_even_the_log_fails_the_sender_has_its_answer_and_the_connection_ends(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    async def story(world):
        monkeypatch.setattr(conversation.log, "exception", full, raising=False)
        with pytest.raises(OSError, match="No space left"):
            world.talk.data_received(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<crash@example.org>\r\nNOOP\r\n")
        assert world.network.codes == ["220", "250", "250", "451"]
        assert world.network.ended
        await world.over()

    told(tmp_path, story)


def test_a_defect_in_the_middle_of_data_is_good_bye(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("a defect in the spool")

    async def story(world):
        world.talk.data_received(MAIL)
        await world.answered(5)
        monkeypatch.setattr("bridge.spool.SpooledMessage.take", broken)
        world.talk.data_received(b"hello\r\nQUIT\r\n")
        assert world.network.codes[-2:] == ["354", "421"], "what follows may be data, so it is no command"
        assert world.intake.accepted == []
        await world.over()

    told(tmp_path, story)


# --- the network ----------------------------------------------------------------------------------------


def test_a_sender_that_is_gone_before_the_handshake_began_is_gone(tmp_path):
    async def story(world):
        world.talk.data_received(b"EHLO c\r\nSTARTTLS\r\n")
        await world.over()
        assert world.network.codes[:2] == ["220", "250"]

    with capture_logs() as logged:
        told(tmp_path, story, tls=object())
    assert [event["event"] for event in logged] == ["smtp_peer_gone"], "that is no defect of ours"


def test_who_had_to_pause_before_the_handshake_is_read_again_behind_it(tmp_path, monkeypatch):
    secured = Network()

    async def encrypted(*_, **__):
        return secured

    monkeypatch.setattr(conversation, "encrypted", encrypted)

    async def story(world):
        commands = b"EHLO c\r\n" + b"NOOP\r\n" * TURN_COMMANDS + b"STARTTLS\r\n"
        world.talk.data_received(commands + b"NOOP\r\n" * 40_000)
        assert not world.network.reading, "it sends more than anybody reads"
        await until_on_loop(lambda: world.talk.transport is secured, what="the handshake")
        assert world.network.reading
        assert world.network.codes[-1] == "220"
        world.talk.data_received(b"EHLO c\r\n")
        assert secured.codes == ["250"], "what was sent in the clear behind STARTTLS was dropped"
        await world.over()

    told(tmp_path, story, tls=object())


def test_a_proxy_that_goes_before_it_said_for_whom_it_speaks_leaves_nothing(tmp_path):
    async def story(world):
        world.talk.data_received(b"PROXY TCP4 192.0.2.7 ")
        assert world.network.said == b""
        await world.over()
        assert world.network.said == b""

    told(tmp_path, story, trust=Trust(proxies=(ip_network("127.0.0.0/8"),)))


# --- large mails ----------------------------------------------------------------------------------------


async def begin_large(world):
    """More than a block came of a mail, and more is waited for."""
    world.talk.data_received(MAIL)
    await world.answered(5)
    world.talk.data_received(LARGE * (3 * BLOCK_BYTES // len(LARGE)))
    await until_on_loop(lambda: world.talk._more is not None, what="it to wait for more")


def test_a_large_mail_goes_on_when_more_comes(tmp_path):
    async def story(world):
        await begin_large(world)
        world.talk.data_received(LARGE)
        world.talk.data_received(b".\r\n")
        await world.answered(6)
        assert world.network.codes[-1] == "250"
        [content] = world.intake.contents
        assert content == LARGE * (3 * BLOCK_BYTES // len(LARGE) + 1)
        await world.over()

    told(tmp_path, story)
    assert spooled(tmp_path) == 1


@pytest.mark.parametrize("how", ["lost", "ended", "both"])
def test_a_large_mail_whose_sender_is_gone_is_not_kept(tmp_path, how):
    async def story(world):
        await begin_large(world)
        if how in {"ended", "both"}:
            world.talk.eof_received()
        await world.over()
        assert world.intake.accepted == []
        assert world.network.codes[-1] == "354"

    told(tmp_path, story)
    assert spooled(tmp_path) == 0


@pytest.mark.parametrize("parts", [(b"hello\r\n.\r\n",), (b"hello\r\n", b".\r\n")])
def test_a_small_mail_that_memory_has_no_room_for_goes_to_the_disk(tmp_path, parts):
    async def story(world):
        world.talk.data_received(MAIL)
        await world.answered(5)
        for part in parts:
            world.talk.data_received(part)
        await world.answered(6)
        assert world.network.codes[-1] == "250"
        assert world.intake.contents == [b"hello\r\n"]
        [envelope] = world.intake.accepted
        assert envelope.body.spooled is not None
        await world.over()

    told(tmp_path, story, memory_limit=2)
    assert spooled(tmp_path) == 1

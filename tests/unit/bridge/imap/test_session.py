"""What a server may say beside what it was asked, and how it may refuse: understood, passed over, or an ImapError."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from bridge.imap.errors import ImapLimitError, ImapLostError, ImapNoError, ImapSyntaxError
from bridge.imap.selecting import Meanwhile
from bridge.imap.session import PIECE_BYTES, ImapSession
from tests.support.imap_server import MailServer, serving
from tests.support.mailbox import letter
from tests.support.waiting import until_on_loop


def at(server, story):
    """Run a story with a session at this server."""

    async def run():
        async with serving(server), asyncio.timeout(60):
            session = await ImapSession.open(
                "127.0.0.1", server.port, tls=None, login="alice", secret="secret", token=False, deadline_s=60
            )
            try:
                await story(session)
            finally:
                session.close()

    asyncio.run(run())


def beside(word, said):
    """What says this beside the answers to commands that begin with a word."""
    return lambda command: said if command.startswith(word) else b""


def tag(server):
    """That of the command that was sent last."""
    return f"p{len(server.commands)}".encode()


def test_what_else_is_said_when_capabilities_are_asked_for_is_passed_over():
    async def story(session):
        assert session.offers("IDLE")
        assert not session.offers("BE")

    at(MailServer(says=beside("CAPABILITY", b"* OK there may be capabilities\r\n")), story)


def test_folders_that_are_said_oddly_are_passed_over():
    odd = b'* LIST (\\Noselect) "/"\r\n* LIST \\Noselect "/" Odd\r\n* LIST () "/" (Odd)\r\n* OK so much\r\n'

    async def story(session):
        assert await session.folders() == {
            "INBOX": frozenset({"\\hasnochildren"}),
            "Sent": frozenset({"\\sent", "\\marked"}),
        }

    at(MailServer(says=beside("LIST", odd + b'* LIST (\\Sent ("x") \\Marked) NIL "Sent"\r\n')), story)


def test_a_folder_without_a_lasting_name_is_of_no_use():
    async def story(session):
        with pytest.raises(ImapSyntaxError, match="UIDVALIDITY"):
            await session.select("INBOX")

    at(MailServer(validity=0), story)


def test_of_mails_that_are_said_in_part_or_unasked_no_more_is_believed_than_that_there_is_news():
    server = MailServer()
    for number in (1, 2):
        server.add(letter(number))

    async def story(session):
        await session.select("INBOX")
        assert not session.heard.news
        found = [each async for each in session.sightings([1, 2], lambda text: text.decode().split("\r\n")[3])]
        assert [(each.uid, each.seen, each.size) for each in found[0]] == [
            (1, False, len(letter(1))),
            (2, False, len(letter(2))),
        ]
        assert found[0][0].message_id == "Message-ID: <number-1@example.net>"
        assert session.heard.news

    server.says = beside(
        "UID FETCH",
        b"* 1 FETCH (FLAGS (\\Seen))\r\n* 9 FETCH (UID 9 FLAGS () BODY[] x)\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n",
    )
    at(server, story)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES])
def test_the_pieces_of_a_mail_are_all_of_it_and_none_is_empty(size):
    server = MailServer()
    server.add(b"x" * size)

    async def story(session):
        await session.select("INBOX")
        found = [piece async for piece in session.pieces(1, most=10 * PIECE_BYTES)]
        assert b"".join(found) == b"x" * size
        assert all(found)

    at(server, story)


def test_a_mail_that_is_gone_has_no_pieces():
    async def story(session):
        await session.select("INBOX")
        assert [piece async for piece in session.pieces(7, most=1000)] == []

    at(MailServer(), story)


# --- what changed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What is known of a folder that was never open."""

    validity: int = 0
    uids: tuple[int, ...] = ()
    next_uid: int = 0
    modseq: int = 0


@pytest.mark.parametrize("said", [b"* VANISHED 2,8\r\n", b"* VANISHED 2" + b",9" * 3000 + b"\r\n", b"* 2 EXPUNGE\r\n"])
def test_what_the_server_says_to_be_gone_while_it_is_waited_for_is_gone_though_it_says_it_once(said):
    server = MailServer(capabilities="IMAP4rev1 AUTH=PLAIN IDLE CONDSTORE QRESYNC")
    for number in (1, 2, 3):
        server.add(letter(number))

    async def story(session):
        opened = await session.select("INBOX", known=Known())
        assert session.resyncs
        waiting = asyncio.create_task(session.idle(within_s=60, nudged=asyncio.Event()))
        await until_on_loop(lambda: any(server._idle.values()), what="the server to be waited for")
        del server.letters[2]
        server.changed(said.decode().strip())
        await waiting
        found = await session.changes((1, 2, 3), since=opened.modseq + 9, compare=False)
        assert found == Meanwhile({}, (2,))
        assert await session.changes((1, 3), since=opened.modseq + 9, compare=True) == Meanwhile({}, ())
        assert len([command for command in server.commands if "SEARCH" in command]) == (said != b"* VANISHED 2,8\r\n")

    at(server, story)


def test_what_changed_is_told_apart_from_what_else_is_said():
    server = MailServer()
    for number in (1, 2):
        server.add(letter(number))
    server.letters[1].seen, server.letters[1].modseq = True, 50

    async def story(session):
        await session.select("INBOX")
        server.says = beside("UID FETCH", b"* 2 FETCH (UID 2 MODSEQ (51))\r\n* OK so much\r\n")
        assert await session.changes((1, 2), since=40, compare=False) == Meanwhile({1: True}, ())
        assert (session.heard.news, session.heard.modseq) == (False, 51)
        server.says = beside("UID FETCH", b"* 2 FETCH (FLAGS () MODSEQ (52))\r\n")
        await session.changes((1, 2), since=40, compare=False)
        assert (session.heard.news, session.heard.modseq) == (True, 52)

    at(server, story)


def test_how_far_what_was_found_is_counted_is_no_uid():
    async def story(session):
        await session.select("INBOX")
        assert await session.search(first_uid=1, since_ms=None) == [4, 5]

    at(MailServer(says=beside("UID SEARCH", b"* SEARCH 5 4 (MODSEQ 917162500)\r\n")), story)


def test_a_server_that_enables_nothing_is_not_asked_what_is_gone():
    async def story(session):
        assert (await session.select("INBOX", known=Known())).meanwhile is None
        assert not session.resyncs

    at(MailServer(capabilities="IMAP4rev1 QRESYNC", says=beside("ENABLE", b"* OK [X] y\r\n"), enables=False), story)


# --- waiting --------------------------------------------------------------------------------------------


async def idling(session, server):
    """Somebody who waits, and the server knows."""
    await session.select("INBOX")
    waiting = asyncio.create_task(session.idle(within_s=60, nudged=asyncio.Event()))
    await until_on_loop(lambda: any(server._idle.values()), what="the server to be waited for")
    return waiting


def test_news_end_the_waiting_and_chatter_does_not():
    server = MailServer()

    async def story(session):
        waiting = await idling(session, server)
        server.changed("* OK still here")
        await asyncio.sleep(0)
        assert not waiting.done()
        server.add(letter(1))
        await waiting
        assert session.heard.news
        await session.noop()

    at(server, story)


def test_a_server_that_says_good_bye_while_it_is_waited_for_is_lost():
    server = MailServer()

    async def story(session):
        waiting = await idling(session, server)
        server.changed("* BYE too many people")
        with pytest.raises(ImapLostError, match="too many people"):
            await waiting

    at(server, story)


def test_who_has_no_time_to_wait_says_so_at_once_and_goes_on():
    server = MailServer()

    async def story(session):
        await session.select("INBOX")
        await session.idle(within_s=0, nudged=asyncio.Event())
        await session.noop()
        assert server.commands[-2:] == ["IDLE", "NOOP"]
        assert not session.heard.news

    at(server, story)


def test_what_is_said_before_the_server_listens_is_news_as_well():
    server = MailServer()

    async def story(session):
        await session.select("INBOX")
        await session.idle(within_s=0, nudged=asyncio.Event())
        assert session.heard.news

    server.says = beside("IDLE", b"* OK one moment\r\n* 3 EXISTS\r\n")
    at(server, story)


@pytest.mark.parametrize(("code", "expected"), [(b"", ""), (b"[LIMIT] ", "LIMIT")])
def test_a_server_may_refuse_to_be_waited_for(code, expected):
    server = MailServer()

    async def story(session):
        await session.select("INBOX")
        server.says = lambda _: tag(server) + b" NO " + code + b"not now\r\n"
        with pytest.raises(ImapNoError, match="not now") as caught:
            await session.idle(within_s=60, nudged=asyncio.Event())
        assert caught.value.code == expected

    at(server, story)


def test_a_server_may_leave_before_it_listens():
    server = MailServer()

    async def story(session):
        await session.select("INBOX")
        server.says = lambda _: b"* BYE closing time\r\n"
        with pytest.raises(ImapLostError, match="closing time"):
            await session.idle(within_s=60, nudged=asyncio.Event())

    at(server, story)


# --- the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"* BYE so long\r\n", b"what?\r\n", b"* OK " + b"x" * 300_000, b""])
def test_a_good_bye_ends_the_connection_whatever_is_answered(said):
    server = MailServer(says=beside("LOGOUT", said))

    async def story(session):
        await session.log_out()
        with pytest.raises(ImapLostError):
            await session.noop()

    at(server, story)


def test_a_folder_whose_uids_do_not_go_into_a_line_is_searched_in_parts():
    server = MailServer(next_uid=4_000_000_000)
    for _ in range(45_000):
        server.add(b"")

    async def story(session):
        with pytest.raises(ImapLimitError):
            await session.search(first_uid=1, since_ms=None)

    at(server, story)

    async def in_parts(session):
        found = await session.search(first_uid=4_000_000_001, since_ms=0, exists=45_000)
        assert found == list(range(4_000_000_001, 4_000_045_000))

    at(server, in_parts)
    parts = [command.partition(" UID 4")[0] for command in server.commands if "4000000001:*" in command]
    assert parts == ["UID SEARCH 40001:*", "UID SEARCH 20001:40000", "UID SEARCH 1:20000"]

"""Mail that is fetched out of a folder: kept and published like any other, once, whatever comes in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.box.box import Terms
from bridge.contract.header import unpack_header
from bridge.imap.following import FollowOptions
from bridge.imap.standing import FollowState
from bridge.mailbox.matching import Sighting
from bridge.model import Flag
from bridge.rules.alert import Alert
from bridge.rules.spam import SpamAction
from bridge.store import counterparts, fetching, meeting
from bridge.store.followed import FetchedMail, FollowedFolders
from tests.integration.test_mailbox_servers import following_alice
from tests.support.imap_server import MailServer
from tests.support.mailbox import letter
from tests.support.stored import NOON_MS, PAYLOAD_LIMIT, header, mail, to
from tests.support.waiting import until_on_loop

SINCE_MS = NOON_MS - 86_400_000 * 30
FIRST = Sighting(uid=1, seen=False, message_id="<a@x>", size=5, arrived_ms=NOON_MS)


async def subjects(world):
    return [unpack_header(payload).subject for _, payload in await world.store.recent(world.alice, 100)]


def test_it_is_kept_in_pieces_and_never_marked(tmp_path):
    async def story(world):
        server = world.server
        await world.until_state(FollowState.FOLLOWING)
        server.add(letter(1))
        server.add(letter(2, size=300_000))
        server.add(letter(3), seen=True)
        await until_on_loop(lambda: world.follower.standing.fetched == 2, what="two mails")
        assert await subjects(world) == ["number 2", "number 1"], "what somebody read is no news"
        pieces = [command for command in server.commands if "BODY.PEEK[]<" in command]
        assert len(pieces) == 4
        assert [mail.seen for mail in server.letters.values()] == [False, False, True]
        [newest, _] = sorted(await world.unseen(), reverse=True)
        body = await world.store.body(world.alice, newest)
        assert body.size == len(letter(2, size=300_000))
        await world.device(newest)
        await until_on_loop(lambda: server.letters[2].seen, what="the mailbox to know")

    following_alice(tmp_path, story, source_ms=SINCE_MS)


def test_what_came_before_and_what_is_too_large_is_left_alone(tmp_path):
    async def story(world):
        await world.until_state(FollowState.FOLLOWING)
        world.server.add(letter(2, size=200_000))
        world.server.add(letter(3))
        await until_on_loop(lambda: world.follower.standing.fetched == 1, what="one mail")
        assert await subjects(world) == ["number 3"]
        assert await world.store.read(fetching.wanted, world.follower.watched.folder_id) == []

    server = MailServer()
    server.add(letter(1), date="01-Mar-2026 12:00:00 +0000")
    options = FollowOptions(answer_s=20.0, most_bytes=100_000)
    following_alice(tmp_path, story, server, source_ms=SINCE_MS, options=options)


@pytest.mark.parametrize("cut", ["BODY.PEEK[]<0", "BODY.PEEK[]<131072", "HEADER.FIELDS"])
def test_a_connection_that_is_lost_meanwhile_costs_no_mail_and_makes_none_twice(tmp_path, cut):
    async def story(world):
        server = world.server
        await until_on_loop(lambda: world.follower.standing.fetched == 1, what="the mail")
        assert server.connections == 2
        server.cut()
        await until_on_loop(lambda: server.connections == 3, what="another connection")
        await world.until_state(FollowState.FOLLOWING)
        assert await subjects(world) == ["number 1"]

    server, lost = MailServer(), []

    def says(command):
        if cut in command and not lost:
            lost.append(command)
            server.cut()
        return b""

    server.says = says
    server.add(letter(1, size=200_000))
    following_alice(tmp_path, story, server, source_ms=SINCE_MS)


def test_by_both_ways_it_comes_once(tmp_path):
    async def story(world):
        server = world.server
        await world.until_state(FollowState.FOLLOWING)
        number = await world.keep(1)
        server.add(b"Return-Path: <bob@example.net>\r\n" + letter(1))
        server.add(letter(2))
        await until_on_loop(lambda: world.follower.standing.fetched == 1, what="what came by IMAP alone")
        assert await subjects(world) == ["number 2", "number 1"]
        await world.device(number)
        await until_on_loop(lambda: server.letters[1].seen, what="the mailbox to know")

    following_alice(tmp_path, story, source_ms=SINCE_MS)


def followed(tmp_path, story):
    """A story with a store and a folder that knows of one mail, which is to be fetched."""

    async def run(world):
        store, folder = world.store, world.follower.watched.folder_id
        await FollowedFolders(store, now_ms=world.clock.wall).open(folder, validity=7)
        await store.write(meeting.discover, folder, [FIRST], next_uid=2, source_ms=SINCE_MS)
        await story(world, folder)

    following_alice(tmp_path, run, MailServer(greeting=b"* BYE not now\r\n"), source_ms=SINCE_MS)


def keeping(world, folder, *, uid=1, validity=7, flags=0, spam=SpamAction.MARK):
    terms = Terms(PAYLOAD_LIMIT, spam)
    keeper = FetchedMail(world.store, terms, folder_id=folder, validity=validity, uid=uid)
    marked = replace(header(), flags=int(flags))
    return keeper.keep(mail(to(world.alice, "alice")), marked, message_id="<a@x>", list_id="")


def test_who_asks_again_for_the_same_uid_gets_nothing(tmp_path):
    async def story(world, folder):
        assert await keeping(world, folder, validity=8) == ()
        assert await keeping(world, folder, uid=2) == ()
        [kept] = await keeping(world, folder)
        assert not kept.copy_of_known
        assert await keeping(world, folder) == ()
        assert await world.unseen() == {kept.number}

    followed(tmp_path, story)


def test_what_came_by_smtp_while_it_was_fetched_is_a_known_copy(tmp_path):
    async def story(world, folder):
        [kept] = await world.store.keep(mail(to(world.alice, "alice"), text="other"), header(), message_id="<a@x>")
        [again] = await keeping(world, folder)
        assert (again.number, again.copy_of_known) == (kept.number, True)
        await world.store.set_seen(world.alice, [kept.number], seen=True, by="phone")
        assert await world.store.read(counterparts.pending, folder) == {1: True}

    followed(tmp_path, story)


def test_what_comes_by_smtp_behind_it_is_a_known_copy(tmp_path):
    async def story(world, folder):
        [kept] = await keeping(world, folder)
        [again] = await world.store.keep(mail(to(world.alice, "alice")), header(), message_id="<a@x>")
        assert (again.number, again.copy_of_known) == (kept.number, True)

    followed(tmp_path, story)


def test_what_a_rule_keeps_from_devices_is_not_marked_in_the_mailbox(tmp_path):
    async def story(world, folder):
        [kept] = await keeping(world, folder, flags=Flag.SUSPICIOUS, spam=SpamAction.SUPPRESS)
        assert kept.alert is Alert.SUPPRESSED
        assert await world.unseen() == set(), "it is as if it were seen, and nobody did"
        assert await world.store.read(counterparts.pending, folder) == {}
        await world.store.write(meeting.meet_all, folder)
        assert await world.store.read(counterparts.pending, folder) == {}

    followed(tmp_path, story)


def test_what_is_moved_is_unread_again_where_it_is_unread(tmp_path):
    async def story(world, folder):
        [kept] = await keeping(world, folder)
        await world.store.write(counterparts.observe, folder, {}, [1])
        assert await world.unseen() == set()
        again = replace(FIRST, uid=2)
        await world.store.write(meeting.discover, folder, [again], next_uid=3)
        assert await world.unseen() == {kept.number}, "it was only moved, away and back"
        await world.store.write(counterparts.observe, folder, {}, [2])
        await world.store.set_seen(world.alice, [kept.number], seen=False)
        await world.store.set_seen(world.alice, [kept.number], seen=True, by="phone")
        await world.store.write(meeting.discover, folder, [replace(FIRST, uid=3)], next_uid=4)
        assert await world.store.read(counterparts.pending, folder) == {3: True}, "somebody read it"

    followed(tmp_path, story)

"""What changed in an open folder: a server that keeps count is asked for that alone, and nothing is passed over."""

from __future__ import annotations

import asyncio
import random

import pytest

from bridge.imap.standing import FollowState
from bridge.store import folders
from tests.integration.test_mailbox_servers import QRESYNC, away, back, following_alice
from tests.support.imap_server import MailServer
from tests.support.mailbox import letter
from tests.support.waiting import until_on_loop

CONDSTORE = "IMAP4rev1 AUTH=PLAIN IDLE CONDSTORE"
NO_COUNT = "IMAP4rev1 AUTH=PLAIN IDLE"


async def filled(world, mails):
    """A folder with so many mails that is open, all of which are known, and nothing asked yet; their numbers here."""
    numbers = {n: await world.keep(n) for n in range(1, mails + 1)}
    for n in numbers:
        world.server.add(letter(n))
    while len(await world.store.read(folders.known, world.follower.watched.folder_id)) != mails:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await world.until_state(FollowState.FOLLOWING)
    await quiet(world.server)
    world.server.commands.clear()
    return numbers


async def quiet(server):
    """Wait until the server is waited for, and has nothing more to say."""
    await until_on_loop(
        lambda: any(server._idle.values()) and not any(server._pending.values()), what="the server to be waited for"
    )


def compared(server):
    """Commands that ask for the flags of mails, changed or not."""
    return [command for command in server.commands if command.endswith("(UID FLAGS)")]


def counted(server):
    """Commands that ask for what changed."""
    return [command for command in server.commands if "CHANGEDSINCE" in command]


def listed(server):
    """Commands that ask which of the known mails there are."""
    return [command for command in server.commands if command.startswith("UID SEARCH UID") and "*" not in command]


@pytest.mark.parametrize("capabilities", [CONDSTORE, QRESYNC, NO_COUNT])
def test_no_more_is_asked_for_than_the_server_cannot_tell_by_itself(tmp_path, capabilities):
    async def story(world):
        server = world.server
        numbers = await filled(world, 5)
        server.mark(1, seen=True)
        await world.until_unseen(*(numbers[n] for n in (2, 3, 4, 5)))
        await quiet(server)
        assert listed(server) == []
        server.mark(1, seen=False)
        await world.until_unseen(*numbers.values())
        server.expunge(2)
        await world.until_unseen(*(numbers[n] for n in (1, 3, 4, 5)))
        server.mark(5, seen=True)
        server.expunge(3)
        await world.until_unseen(numbers[1], numbers[4])
        counts = capabilities != NO_COUNT
        assert bool(compared(server)) is not counts
        assert bool(counted(server)) is counts
        assert bool(listed(server)) is (capabilities == CONDSTORE)
        assert all(command.endswith(" VANISHED)") is (capabilities == QRESYNC) for command in counted(server))
        assert world.follower.standing.connections == 1

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))


@pytest.mark.parametrize("capabilities", [CONDSTORE, QRESYNC])
def test_what_changes_while_one_looks_is_found_with_the_next_look(tmp_path, capabilities):
    """The look has passed 1 when that changes, and comes to 3 when that has changed after it: a higher count."""

    async def story(world):
        server = world.server
        numbers = await filled(world, 3)

        def meanwhile(command):
            if "CHANGEDSINCE" in command:
                server.says = lambda _: b""
                server.mark(1, seen=True)
                server.mark(3, seen=True)
                server.passed = {1}
            return b""

        server.says = meanwhile
        server.mark(2, seen=True)
        await world.until_unseen()
        assert compared(server) == []
        assert numbers

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))


@pytest.mark.parametrize("capabilities", [CONDSTORE, QRESYNC])
def test_what_was_told_is_not_told_for_ever(tmp_path, capabilities):
    async def story(world):
        server = world.server
        numbers = await filled(world, 3)
        for seen in (True, False, True, False):
            server.mark(1, seen=seen)
            await world.until_unseen(*(numbers[n] for n in ((2, 3) if seen else (1, 2, 3))))
            await quiet(server)
        since = [int(command.partition("CHANGEDSINCE ")[2].split(")")[0].split()[0]) for command in counted(server)]
        assert since == sorted(since)
        assert since[-1] > since[0]

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))


@pytest.mark.parametrize("capabilities", [CONDSTORE, QRESYNC])
def test_a_server_that_cannot_say_what_changed_is_asked_for_all(tmp_path, capabilities):
    async def story(world):
        server = world.server
        server.refuses_command = "CHANGEDSINCE"
        numbers = await filled(world, 3)
        server.mark(1, seen=True)
        await world.until_unseen(numbers[2], numbers[3])
        server.expunge(2)
        await world.until_unseen(numbers[3])
        assert len(counted(server)) <= 1, "once is enough"
        assert world.follower.standing.connections == 1

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))


@pytest.mark.parametrize("capabilities", [CONDSTORE, QRESYNC])
@pytest.mark.parametrize("said", [b"* 9 EXPUNGE\r\n" * 3000, b"* 1 FETCH x\r\n"])
def test_a_server_that_tells_too_much_of_what_changed_is_asked_for_all_next_time(tmp_path, capabilities, said):
    async def story(world):
        server = world.server
        numbers = await filled(world, 2)
        server.says = lambda command: said if "(QRESYNC (" in command or "CHANGEDSINCE" in command else b""
        server.mark(1, seen=True)
        server.expunge(2)
        await world.until_unseen()
        assert len(counted(server)) == 1
        assert compared(server)
        assert world.follower.standing.connections == 2
        assert numbers

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))


def test_what_happened_while_one_was_away_is_not_asked_mail_by_mail(tmp_path):
    async def story(world):
        server = world.server
        numbers = {n: await world.keep(n) for n in (1, 2, 3, 4)}
        for n in (1, 2, 3, 4):
            server.add(letter(n))
        await away(world, known=4)
        server.mark(1, seen=True)
        server.expunge(2)
        await world.device(numbers[3])
        server.add(letter(5))
        numbers[5] = await world.keep(5)
        await back(world)
        assert await world.unseen() == {numbers[4], numbers[5]}
        assert server.letters[3].seen
        assert (compared(server), len(counted(server)), listed(server)) == ([], 1, ["UID SEARCH UID 1:4"])

    following_alice(tmp_path, story, MailServer(capabilities=CONDSTORE))


def test_of_a_count_that_began_anew_nothing_is_believed(tmp_path):
    async def story(world):
        server = world.server
        numbers = [await world.keep(n) for n in (1, 2)]
        for n in (1, 2):
            server.add(letter(n))
        await away(world, known=2)
        server.letters[1].seen, server.letters[1].modseq, server.modseq = True, 1, 1
        await back(world)
        assert await world.unseen() == {numbers[1]}
        assert (len(compared(server)), counted(server)) == (1, [])

    following_alice(tmp_path, story, MailServer(capabilities=CONDSTORE, modseq=10))


@pytest.mark.parametrize("capabilities", [CONDSTORE, QRESYNC, NO_COUNT])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_happens_and_whenever_both_sides_agree(tmp_path, capabilities, seed):
    """Changes come between looks and during them, some behind the place that a look has come to."""

    async def story(world):
        server, chance = world.server, random.Random(seed)
        numbers = await filled(world, 20)

        def happens():
            uid = chance.choice(list(server.letters))
            if chance.random() < 0.15 and len(server.letters) > 5:
                server.expunge(uid)
            else:
                server.mark(uid, seen=not server.letters[uid].seen)
                return uid
            return None

        def meanwhile(command):
            if "CHANGEDSINCE" in command and left.pop():
                server.passed = {uid for uid in (happens(), happens()) if uid and uid in server.letters}
                happens()
            if "CHANGEDSINCE" in command and not left:
                server.says = lambda _: b""
            return b""

        left = [True] * 8
        server.says = meanwhile
        for _ in range(40):
            happens()
            await asyncio.sleep(chance.random() / 50)
        server.says = lambda _: b""
        await world.until_unseen(*(numbers[uid] for uid, mail in server.letters.items() if not mail.seen))
        assert world.follower.standing.connections == 1

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))

"""Good and bad mail servers, and a store: what follows for messages, and how much a bad one can take."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc

import pytest
from structlog.testing import capture_logs

from bridge.box.box import Terms
from bridge.daemon.fetched import Fetched
from bridge.imap import following, secret
from bridge.imap.following import Follower, FollowOptions
from bridge.imap.session import ImapSession
from bridge.imap.standing import FollowState
from bridge.intake import Intake
from bridge.mailbox.account import MailAccount, Secret, SecretKind
from bridge.spool import Spool
from bridge.store import folders, mailboxes
from bridge.store.adapters import Mailbox
from bridge.store.followed import FollowedFolders
from tests.support.imap_server import DATE, MailServer, serving
from tests.support.mailbox import letter
from tests.support.stored import PAYLOAD_LIMIT, Clock, add_user, header, mail, storing, to
from tests.support.waiting import free_port, until_on_loop

OLD_DATE = "01-Mar-2026 12:00:00 +0000"
QUICK = FollowOptions(poll_s=0.05, answer_s=20.0)


class Followed:
    """A store with alice's mailbox, and who follows it."""

    def __init__(self, store, server, alice, tmp_path, clock):
        self.store, self.server, self.alice, self.clock = store, server, alice, clock
        self._directory = tmp_path
        self.follower = None
        self.spool = Spool(tmp_path / "spool")
        self.mailbox = Mailbox(store, Terms(PAYLOAD_LIMIT))

    async def watch(self, *, kind=SecretKind.PASSWORD_FILE, where=None, folder="INBOX", port=None, tls=False, **more):
        if where is None:
            where = self._directory / "password"
            where.write_text("secret\n")
        account = MailAccount(
            mailbox_id=0,
            user_id=0,
            user="alice",
            host="127.0.0.1",
            port=port or self.server.port,
            tls=tls,
            login="alice",
            secret=Secret(kind, str(where)),
            **more,
        )
        await self.store.write(mailboxes.add, account, [folder])
        [watched] = await self.store.read(mailboxes.watched)
        return watched

    async def follow(self, *, options=QUICK, **account):
        watched = await self.watch(**account)
        intake = Intake(store=self.mailbox, directory=self.store.directory, discard=self.spool.discard)
        self.follower = Follower(
            watched,
            counterparts=FollowedFolders(self.store, now_ms=self.clock.wall),
            taking=Fetched(store=self.store, mailbox=self.mailbox, spool=self.spool, intake=intake),
            options=options,
            tls=ssl.create_default_context,
            delay_s=lambda _: 0.01,
            now_ms=self.clock.wall,
            monotonic=asyncio.get_running_loop().time,
        )
        return self.follower

    async def keep(self, number, **options):
        raw = letter(number, **options)
        message_id = f"<number-{number}@example.net>" if options.get("message_id", True) else ""
        envelope = mail(to(self.alice, "alice"), text=raw.decode())
        [kept] = await self.store.keep(envelope, header(f"number {number}"), message_id=message_id)
        return kept.number

    async def device(self, number, *, seen=True):
        await self.store.set_seen(self.alice, [number], seen=seen, by="phone")
        self.follower.nudge()

    async def unseen(self):
        return set(await self.store.unseen(self.alice, below=2**45, limit=1000))

    async def until_unseen(self, *numbers):
        while await self.unseen() != set(numbers):  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0.01)

    async def until_state(self, state):
        await until_on_loop(lambda: self.follower.standing.state is state, what=f"it to be {state}")


def following_alice(tmp_path, story, server=None, **account):
    """Run a story with a follower of alice's mailbox that runs."""
    server = server or MailServer()

    async def run():
        clock = Clock()
        alice = add_user(tmp_path / "postbell.db", "alice", clock=clock)
        async with serving(server), storing(tmp_path / "postbell.db", clock=clock) as store:
            world = Followed(store, server, alice, tmp_path, clock)
            follower = await world.follow(**account)
            running = asyncio.create_task(follower.run())
            try:
                async with asyncio.timeout(60):
                    await story(world)
            finally:
                running.cancel()
                await asyncio.wait([running])
                world.spool.close()

    asyncio.run(run())


NO_IDLE = "IMAP4rev1 AUTH=PLAIN"
OLD = "IMAP4rev1"


@pytest.mark.parametrize("capabilities", [MailServer().capabilities, NO_IDLE, OLD])
def test_both_sides_follow_at_every_server(tmp_path, capabilities):
    async def story(world):
        server = world.server
        numbers = [await world.keep(n) for n in (1, 2, 3)]
        uids = [server.add(letter(n)) for n in (1, 2, 3)]
        await world.until_state(FollowState.FOLLOWING if "IDLE" in capabilities else FollowState.POLLING)
        await world.device(numbers[0])
        await until_on_loop(lambda: server.letters[uids[0]].seen, what="the mailbox to know")
        server.mark(uids[1], seen=True)
        if "IDLE" not in capabilities:
            server.says = lambda command: b"* 3 EXISTS\r\n" if command == "NOOP" else b""
        await world.until_unseen(numbers[2])
        server.expunge(uids[2])
        await world.until_unseen()
        await world.device(numbers[0], seen=False)
        await until_on_loop(lambda: not server.letters[uids[0]].seen, what="the mailbox to know that it is unseen")
        assert world.follower.standing.connections == 1

    following_alice(tmp_path, story, MailServer(capabilities=capabilities))


def test_another_uidvalidity_is_another_folder_of_the_same_mails(tmp_path):
    async def story(world):
        server = world.server
        number = await world.keep(1)
        server.add(letter(1))
        await world.until_state(FollowState.FOLLOWING)
        await world.device(number)
        await until_on_loop(lambda: server.letters[1].seen, what="the mailbox to know")
        server.greeting, greeting = b"* BYE not now\r\n", server.greeting
        server.cut()
        await world.until_state(FollowState.CONNECTING)
        server.letters = {}
        server.validity, server.next_uid = 8, 1
        server.add(letter(2))
        server.add(letter(1), seen=True)
        server.greeting = greeting
        await world.until_state(FollowState.FOLLOWING)
        other = await world.keep(2)
        await world.device(number, seen=False)
        await until_on_loop(lambda: not server.letters[2].seen, what="the mailbox to know under another UID")
        assert await world.unseen() == {number, other}, "UID 1 is not what it was"

    following_alice(tmp_path, story)


async def away(world, *, known):
    """When so many mails are known the connection is lost, and there is no other one before `back`."""
    while len(await world.store.read(folders.known, world.follower.watched.folder_id)) != known:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await world.until_state(FollowState.FOLLOWING)
    world.server.greeting = b"* BYE not now\r\n"
    world.server.cut()
    await world.until_state(FollowState.CONNECTING)
    world.server.commands.clear()


async def back(world):
    world.server.greeting = MailServer().greeting
    await world.until_state(FollowState.FOLLOWING)


QRESYNC = "IMAP4rev1 AUTH=PLAIN IDLE ENABLE CONDSTORE QRESYNC"


def asked_about_flags(server):
    return [command for command in server.commands if command.startswith("UID FETCH") and "(UID FLAGS)" in command]


def test_a_server_that_keeps_count_tells_what_happened_and_is_not_asked(tmp_path):
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
        assert [command for command in server.commands if command.endswith(" 1:4))") and "(QRESYNC (7 " in command]
        assert asked_about_flags(server) == []

    following_alice(tmp_path, story, MailServer(capabilities=QRESYNC))


def test_a_server_that_only_says_that_it_keeps_count_is_asked(tmp_path):
    async def story(world):
        server = world.server
        numbers = [await world.keep(n) for n in (1, 2)]
        for n in (1, 2):
            server.add(letter(n))
        await away(world, known=2)
        server.expunge(1)
        server.refuses_command = "QRESYNC"
        await back(world)
        assert await world.unseen() == {numbers[1]}
        assert len(asked_about_flags(server)) == 1

    following_alice(tmp_path, story, MailServer(capabilities=QRESYNC))


def test_a_server_that_tells_too_much_of_what_happened_is_asked_next_time(tmp_path):
    async def story(world):
        server = world.server
        number = await world.keep(1)
        server.add(letter(1))
        await away(world, known=1)
        server.mark(1, seen=True)
        server.says = lambda command: b"* 9 EXPUNGE\r\n" * 3000 if "(QRESYNC (" in command else b""
        await back(world)
        assert await world.unseen() == set(), number
        assert len([command for command in server.commands if "(QRESYNC (" in command]) == 1

    following_alice(tmp_path, story, MailServer(capabilities=QRESYNC))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"* 1 FETCH (BODY[] {2147483648}\r\n", "announced 2147483648 bytes"),
        (b"* OK " + b"x" * 300_000, "a line of more than"),
        (b"* 1 EXISTS\r\n" * 3000, "more in answer to a command"),
        (b"* 1 FETCH (" + b"(" * 60 + b"\r\n", "lists more than"),
        (b"what?\r\n", "an answer to what it was not asked"),
        (b"* BYE go away\r\n", "ended the connection: go away"),
        (b"* 1 FETCH (UID x)\r\n", "something else than a number"),
    ],
    ids=["literal", "line", "flood", "depth", "nonsense", "bye", "number"],
)
def test_what_a_hostile_server_sends_is_bounded_and_tried_again(tmp_path, said, reason):
    async def story(world):
        await until_on_loop(lambda: reason in world.follower.standing.reason, what=reason)
        assert world.follower.standing.state is FollowState.CONNECTING
        world.server.says = lambda _: b""
        await world.until_state(FollowState.FOLLOWING)

    server = MailServer(says=lambda command: said if command.startswith("UID") else b"")
    server.add(letter(1))
    with capture_logs() as logged:
        following_alice(tmp_path, story, server)
    assert [event["event"] for event in logged if "defect" in event["event"]] == []


def test_a_server_that_stalls_is_given_up(tmp_path):
    async def story(world):
        await until_on_loop(lambda: "in time" in world.follower.standing.reason, what="it to be given up")
        world.server.says = lambda _: b""
        await world.until_state(FollowState.FOLLOWING)

    server = MailServer(says=lambda command: None if command.startswith("SELECT") else b"")
    following_alice(tmp_path, story, server, options=FollowOptions(answer_s=0.2))


@pytest.mark.parametrize("not_now", ["UNAVAILABLE", "ALERT Too many simultaneous connections. (Failure)"])
def test_a_login_that_is_refused_is_not_tried_again_but_one_that_cannot_be_now_is(tmp_path, not_now):
    async def story(world):
        await until_on_loop(lambda: world.server.connections >= 3, what="tries")
        assert world.follower.standing.state is FollowState.CONNECTING
        world.server.refuses = "AUTHENTICATIONFAILED"
        await world.until_state(FollowState.REFUSED)
        tried = world.server.connections
        await asyncio.sleep(0.3)
        assert world.server.connections == tried

    with capture_logs() as logged:
        following_alice(tmp_path, story, MailServer(refuses=not_now))
    assert [event["event"] for event in logged] == ["mailbox_lost", "mailbox_refused"]


def test_a_token_may_have_run_out_so_it_is_asked_for_again(tmp_path):
    async def story(world):
        await world.until_state(FollowState.REFUSED)
        assert world.server.connections == following.TOKENS

    following_alice(tmp_path, story, kind=SecretKind.XOAUTH2_COMMAND, where="echo wrong")


def test_a_token_opens_the_mailbox(tmp_path):
    async def story(world):
        await world.until_state(FollowState.FOLLOWING)

    following_alice(tmp_path, story, kind=SecretKind.XOAUTH2_COMMAND, where="echo secret")


@pytest.mark.parametrize(
    ("kind", "where", "reason"),
    [
        (SecretKind.PASSWORD_FILE, "/nowhere/at/all", "No such file"),
        (SecretKind.PASSWORD_COMMAND, "/nowhere/at/all", "cannot be run"),
        (SecretKind.PASSWORD_COMMAND, "false", "ended with 1"),
        (SecretKind.PASSWORD_COMMAND, "true", "the first line is empty"),
        (SecretKind.PASSWORD_COMMAND, "printf '\\377'", "this is no text"),
        (SecretKind.PASSWORD_COMMAND, "sleep 60", "took more than"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told(tmp_path, monkeypatch, kind, where, reason):
    monkeypatch.setattr(secret, "COMMAND_S", 0.2)

    async def story(world):
        await until_on_loop(lambda: reason in world.follower.standing.reason, what=reason)
        assert world.server.connections == 0

    following_alice(tmp_path, story, kind=kind, where=where)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    async def story(world):
        await until_on_loop(lambda: "no such folder" in world.follower.standing.reason, what="that")

    following_alice(tmp_path, story, folder="Work")


def test_a_folder_with_very_many_mails_costs_what_its_last_days_cost(tmp_path):
    """100,000 mails of which the last 40 count."""

    async def story(world):
        await world.until_state(FollowState.FOLLOWING)
        number = await world.keep(100_000)
        await world.device(number)
        await until_on_loop(lambda: world.server.letters[100_000].seen, what="the mailbox to know")
        asked = [command for command in world.server.commands if command.startswith("UID FETCH")]
        assert sum(len(command) for command in asked) < 10_000
        assert tracemalloc.get_traced_memory()[1] - held < 20 * 2**20

    server = MailServer()
    long_ago = letter(0)
    for n in range(1, 100_001):
        old = n <= 99_960
        server.add(long_ago if old else letter(n), date=OLD_DATE if old else DATE)
    tracemalloc.start()
    held = tracemalloc.get_traced_memory()[0]
    try:
        following_alice(tmp_path, story, server)
    finally:
        tracemalloc.stop()


def test_a_server_that_is_not_there_or_has_no_mailboxes_is_told(tmp_path):
    async def story(world):
        await until_on_loop(lambda: "greets us with a refusal" in world.follower.standing.reason, what="a refusal")
        world.server.greeting = b"* PREAUTH you are in\r\n"
        await world.until_state(FollowState.FOLLOWING)
        assert "AUTHENTICATE PLAIN" not in world.server.commands

    following_alice(tmp_path, story, MailServer(greeting=b"p1 OK this is no greeting\r\n"))


def test_a_server_that_takes_no_password_gets_none(tmp_path):
    async def story(world):
        await world.until_state(FollowState.REFUSED)
        assert world.server.commands == ["CAPABILITY"]

    following_alice(tmp_path, story, MailServer(capabilities="IMAP4rev1 LOGINDISABLED"))


def test_a_port_where_nobody_listens_is_told(tmp_path):
    async def story(world):
        await until_on_loop(lambda: world.follower.standing.reason, what="why")
        assert "refused" in world.follower.standing.reason

    following_alice(tmp_path, story, port=free_port())


def test_a_certificate_that_is_not_trusted_and_authorities_that_are_not_there_are_told(tmp_path):
    async def story(world):
        await until_on_loop(lambda: world.follower.standing.reason, what="why")
        assert "TLS" in world.follower.standing.reason or "record" in world.follower.standing.reason
        world.follower._tls = lambda: ssl.create_default_context(cafile="/nowhere/at/all")
        await until_on_loop(lambda: "imap.ca_file" in world.follower.standing.reason, what="the key")

    following_alice(tmp_path, story, tls=True)


def test_a_defect_of_ours_is_logged_and_ends_nothing_but_that_connection(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    async def story(world):
        await until_on_loop(lambda: "a defect of ours" in world.follower.standing.reason, what="a defect")
        monkeypatch.undo()
        await world.until_state(FollowState.FOLLOWING)

    monkeypatch.setattr(ImapSession, "search", broken)
    with capture_logs() as logged:
        following_alice(tmp_path, story)
    assert "mailbox_defect" in [event["event"] for event in logged]


def test_where_the_server_says_when_to_look_there_is_no_connection(tmp_path):
    async def story(world):
        server, number = world.server, await world.keep(1)
        server.add(letter(1))
        await world.until_state(FollowState.CALLED)
        world.follower.call()
        await until_on_loop(lambda: server.connections == 2, what="a look")
        await world.until_state(FollowState.CALLED)
        await world.device(number)
        await until_on_loop(lambda: server.letters[1].seen, what="the mailbox to know")
        await world.until_state(FollowState.CALLED)
        looks = server.connections
        await world.keep(2)
        world.follower.nudge()
        await asyncio.sleep(0.1)
        assert server.connections == looks, "there is nothing to tell"
        server.letters[1].seen = False
        world.follower.call()
        await world.until_unseen(number, *[max(await world.unseen())])

    following_alice(tmp_path, story, events=True)


def test_a_folder_whose_server_says_nothing_is_looked_at_anyhow(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "CATCH_UP_S", 0.05)

    async def story(world):
        await until_on_loop(lambda: world.server.connections >= 3, what="looks")

    following_alice(tmp_path, story, events=True)


def test_a_password_file_that_was_written_anew_is_tried(tmp_path):
    async def story(world):
        (tmp_path / "password").write_text("wrong\n")
        world.server.cut()
        await world.until_state(FollowState.REFUSED)
        (tmp_path / "password").write_text("secret\n")
        await world.until_state(FollowState.FOLLOWING)

    following_alice(tmp_path, story)


def test_folders_are_listed_with_what_they_are_for(tmp_path):
    async def story(world):
        await world.until_state(FollowState.FOLLOWING)
        session = await following.open_session(
            world.follower.watched.account, tls=ssl.create_default_context, answer_s=9
        )
        assert await session.folders() == {"INBOX": frozenset({"\\hasnochildren"})}
        await session.log_out()

    following_alice(tmp_path, story)

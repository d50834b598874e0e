"""What the bridge does with its workers, and they with it, where that is not seen from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.daemon import crew as crews
from bridge.daemon import frames
from bridge.daemon import worker as workers
from bridge.daemon.crew import Crew, CrewNeeds, fitting
from bridge.daemon.worker import FarIntake, Worker
from bridge.daemon.worker_settings import WorkerSettings
from bridge.directory import User
from bridge.errors import MalformedAddressError, OverQuotaError, StoreUnavailableError, UnknownUserError
from bridge.ingress import IngressSettings
from bridge.intake import Beliefs, MailReader, ReadMail
from bridge.model import Body, Envelope, Header, Recipient
from bridge.publish.backoff import Backoff
from bridge.reply import Reply
from bridge.tally import Tally
from tests.support.book import Book
from tests.support.waiting import PATIENCE_S

MAIL = b"Subject: x\r\n\r\nhello\r\n.\r\n"


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (3, 0), (4, 2), (7, 3), (16, 8), (128, 8)])
def test_small_boards_have_no_workers_and_large_machines_some(cores, workers):
    assert fitting(cores) == workers


def test_the_cores_are_those_that_it_may_use():
    assert 1 <= crews.cores() <= (os.cpu_count() or 1)


class World:
    """What a bridge would give its workers."""

    def __init__(self, directory):
        self.directory = directory
        self.users = Book([User(1, "alice")], [("alice@example.org", 1)])
        self.full: list[int] = []
        self.gone: list[str] = []
        self.kept: list[tuple[Envelope, ReadMail]] = []
        self.open = 0
        self.hostname = "mx.example"
        self.tally = Tally()
        self.failure: Exception | None = None
        self.blind = False

    async def keep(self, envelope, read):
        self.kept.append((envelope, read))
        if self.failure is not None:
            raise self.failure
        return [Reply(250, "2.0.0", "kept")]

    async def resolve(self, address):
        if self.blind:
            raise RuntimeError("a defect")
        return await self.users.resolve(address)

    async def check_login(self, user, password):
        if self.failure is not None:
            raise self.failure
        return (user, password) == ("alice", "right")

    def settings(self, name):
        return WorkerSettings(
            name=name,
            ingress=IngressSettings(hostname=self.hostname),
            beliefs=Beliefs(),
            spool_dir=self.directory / "spool",
            log_level="warning",
            log_style="json",
        )

    def crew(self, *, at_once=True, count=1):
        needs = CrewNeeds(
            settings=self.settings,
            resolve=self.resolve,
            full=lambda: self.full,
            keep=self.keep,
            check_login=self.check_login,
            gone=self.gone.append,
            connections=lambda: self.open,
            tally=self.tally,
        )
        backoff = Backoff(first_s=0.01, longest_s=0.01)
        return Crew(
            count=count, at_once=at_once, needs=needs, backoff=backoff, jitter=lambda: 0.5, monotonic=time.monotonic
        )


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


def working(directory, story, **options):
    """A story with a crew that runs, what it was given, and what was logged."""

    async def run():
        world = World(directory)
        crew = world.crew(**options)
        running = asyncio.create_task(crew.run())
        with capture_logs() as logs:
            try:
                await story(crew, world, logs)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await crew.end(grace_s=0)

    asyncio.run(run())


def named(logs, event):
    return [each for each in logs if each["event"] == event]


@contextlib.asynccontextmanager
async def passed(crew, listener="smtp"):
    """A connection that was passed on, and whether it was taken; the greeting is not read yet."""
    ours, theirs = socket.socketpair()
    with theirs:
        taken = crew.take(theirs.fileno(), listener, "192.0.2.1")
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        yield SimpleNamespace(taken=taken, reader=reader, writer=writer)
    finally:
        writer.close()


async def ask(wire, said):
    wire.writer.write(said)
    return await asyncio.wait_for(wire.reader.readline(), PATIENCE_S)


async def sent(wire):
    """The reply to a mail."""
    assert (await ask(wire, b"")).startswith(b"220 ")
    for command in (b"HELO x\r\n", b"MAIL FROM:<b@example.net>\r\n", b"RCPT TO:<alice@example.org>\r\n"):
        assert (await ask(wire, command)).startswith(b"250 ")
    assert (await ask(wire, b"DATA\r\n")).startswith(b"354 ")
    return await ask(wire, MAIL)


def test_workers_are_started_at_the_first_busy_moment(tmp_path):
    async def story(crew, world, logs):
        world.open = 9
        assert not crew.take(0, "smtp", "")
        await asyncio.sleep(0)
        assert logs == []
        world.open = 10
        assert not crew.take(0, "smtp", "")
        assert not crew.take(0, "smtp", "")
        await until(lambda: named(logs, "worker_ready"))

    working(tmp_path, story, at_once=False)


def test_a_defect_of_the_bridge_has_the_sender_try_again(tmp_path):
    async def story(crew, world, logs):
        await until(lambda: named(logs, "worker_ready"))
        world.failure = RuntimeError("a defect")
        async with passed(crew) as wire:
            assert wire.taken
            assert world.tally.sessions_open["smtp"] == 1
            assert (await sent(wire)).startswith(b"451 ")
            world.failure, world.blind = None, True
            await ask(wire, b"MAIL FROM:<b@example.net>\r\n")
            assert (await ask(wire, b"RCPT TO:<bob@example.org>\r\n")).startswith(b"451 4.3.0 ")
            assert (await ask(wire, b"RCPT TO:<alice@example.org>\r\n")).startswith(b"250 "), "it is known already"
            world.blind = False
            assert (await ask(wire, b"RCPT TO:<bob@example.org>\r\n")).startswith(b"550 5.1.1 ")
            assert (await ask(wire, b"RCPT TO:<@example.org>\r\n")).startswith(b"501 ")
            await ask(wire, b"RSET\r\n")
            for command in (b"MAIL FROM:<b@example.net>\r\n", b"RCPT TO:<alice@example.org>\r\n", b"DATA\r\n"):
                await ask(wire, command)
            assert await ask(wire, MAIL) == b"250 2.0.0 kept\r\n"
        assert [each["worker"] for each in named(logs, "worker_mail_failed")] == ["worker-1"]
        assert [each["worker"] for each in named(logs, "worker_look_up_failed")] == ["worker-1"]
        await until(lambda: world.gone == ["192.0.2.1"])
        assert world.tally.sessions_open["smtp"] == 0

    working(tmp_path, story)


def test_workers_know_at_once_what_changed_before_a_connection(tmp_path):
    async def story(crew, world, logs):
        await until(lambda: named(logs, "worker_ready"))
        for number in range(20):
            world.full = [] if number % 2 else [1]
            crew.tell_full()
            world.users = Book([User(1, "alice")], [(f"a{number}@example.org", 1)])
            crew.tell_people()
            world.hostname = f"mx{number}.example"
            crew.tell_settings()
            async with passed(crew) as wire:
                assert (await ask(wire, b"")).startswith(f"220 {world.hostname} ".encode())
                await ask(wire, b"HELO x\r\n")
                await ask(wire, b"MAIL FROM:<>\r\n")
                said = await ask(wire, b"RCPT TO:<a%d@example.org>\r\n" % number)
                assert said.startswith(b"250 " if number % 2 else b"452 4.2.2"), said
        await until(lambda: world.tally.refusals.total() == 10)

    working(tmp_path, story)


def test_who_is_slow_to_take_connections_is_given_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(crews, "STOP_S", 0.0)
    monkeypatch.setattr(crews, "LATE_S", 0.0)

    async def story(crew, world, logs):
        await until(lambda: named(logs, "worker_ready"))
        os.kill(named(logs, "worker_started")[0]["pid"], signal.SIGSTOP)
        near, far = socket.socketpair()
        with near, far:
            taken = 0
            while crew.take(far.fileno(), "smtp", "") and taken < 100_000:
                taken += 1
        assert 0 < taken < 100_000
        assert world.tally.sessions_open["smtp"] == taken
        # behind the story it is killed, as it does not end by itself

    working(tmp_path, story)


def test_one_that_hangs_up_and_lives_is_killed_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(crews, "LATE_S", 0.0)

    async def story(crew, _world, logs):
        await until(lambda: named(logs, "worker_ready"))
        [hand] = crew._hands
        os.kill(hand.process.pid, signal.SIGSTOP)
        hand.line.close()
        await until(lambda: len(named(logs, "worker_ready")) == 2)
        assert [(each["code"], each["restarts"]) for each in named(logs, "worker_died")] == [(-9, 1)]

    working(tmp_path, story)


def test_a_process_that_cannot_be_started_is_tried_again(tmp_path, monkeypatch):
    started = asyncio.create_subprocess_exec
    tries = []

    async def failing(*command, **options):
        tries.append(command)
        if len(tries) < 3:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return await started(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", failing)

    async def story(_crew, _world, logs):
        await until(lambda: named(logs, "worker_ready"))
        told = [each["reason"] for each in named(logs, "worker_not_started")]
        assert told == ["Resource temporarily unavailable"] * 2
        assert named(logs, "worker_died") == []

    working(tmp_path, story)


# --- the worker's side, without a process -----------------------------------------------------------------


class Said:
    """A line that notes what is said."""

    def __init__(self):
        self.frames: list[tuple[Any, ...]] = []

    def say(self, *frame):
        self.frames.append(frame)


def far_intake():
    said: Any = Said()
    return said, FarIntake(said, reader=MailReader(), tally=Tally())


@pytest.mark.parametrize(("answer", "right"), [(True, True), (False, False)])
def test_a_login_is_asked_of_the_bridge(answer, right):
    async def story():
        line, intake = far_intake()
        asking = asyncio.create_task(intake.check_login("alice", "secret"))
        await asyncio.sleep(0)
        [(name, number, *login)] = line.frames
        assert (name, login) == ("login", ["alice", "secret"])
        intake.answered(number, answer)
        assert await asking is right
        intake.answered(number, answer)  # a second answer is nobody's

    asyncio.run(story())


def test_what_the_bridge_cannot_find_out_is_no_answer():
    async def story():
        line, intake = far_intake()
        asking = asyncio.create_task(intake.check_login("alice", "secret"))
        await asyncio.sleep(0)
        intake.answered(line.frames[0][1], None)
        with pytest.raises(StoreUnavailableError):
            await asking

    asyncio.run(story())


async def looked_up(line, intake, address, answer, *, meanwhile=lambda: None):
    """What comes of a look-up that the bridge answers so."""
    looking = asyncio.create_task(intake.resolve(address))
    await asyncio.sleep(0)
    name, number, asked = line.frames[-1]
    assert (name, asked) == ("whose", address)
    meanwhile()
    intake.answered(number, answer)
    return await looking


def test_whose_an_address_is_is_asked_of_the_bridge_once():
    async def story():
        line, intake = far_intake()
        alice, told = Recipient("alice@example.org", 1, "alice"), ("alice@example.org", 1, "alice", "")
        assert intake.known(alice.address) is None
        assert await looked_up(line, intake, alice.address, told) == alice
        assert intake.known(alice.address) == alice
        intake.full = frozenset({1})
        with pytest.raises(OverQuotaError):
            intake.known(alice.address)
        with pytest.raises(OverQuotaError):
            await looked_up(line, intake, alice.address, told)
        intake.full = frozenset()
        intake.forget_people()
        assert intake.known(alice.address) is None
        assert await looked_up(line, intake, alice.address, told, meanwhile=intake.forget_people) == alice
        assert intake.known(alice.address) is None, "it may be of before the change"

    asyncio.run(story())


@pytest.mark.parametrize("refusal", [UnknownUserError("nobody"), MalformedAddressError("no address")])
def test_who_is_nobody_is_so_at_a_worker_as_well_and_not_kept(refusal):
    async def story():
        line, intake = far_intake()
        with pytest.raises(type(refusal), match=str(refusal)):
            await looked_up(line, intake, "x", frames.recipient(refusal))
        assert intake.known("x") is None

    asyncio.run(story())


def test_a_worker_keeps_a_bounded_number_of_addresses_in_mind(monkeypatch):
    monkeypatch.setattr(workers, "KEPT", 2)

    async def story():
        line, intake = far_intake()
        for number in (1, 2):
            await looked_up(line, intake, f"{number}", (f"{number}", 1, "alice", ""))
        assert intake.known("1")
        await looked_up(line, intake, "3", ("3", 1, "alice", ""))
        assert [bool(intake.known(each)) for each in "123"] == [True, False, True]

    asyncio.run(story())


def test_who_asked_may_be_gone_when_the_answer_comes():
    async def story():
        line, intake = far_intake()
        asking = asyncio.create_task(intake.check_login("alice", "secret"))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        intake.answered(line.frames[0][1], True)

    asyncio.run(story())


@pytest.mark.parametrize("failure", [None, OSError("gone")])
def test_the_bridge_answers_logins_whatever_comes_of_them(tmp_path, failure):
    async def story():
        world = World(tmp_path)
        world.failure = failure
        crew, line = world.crew(), Said()
        hand: Any = SimpleNamespace(line=line, name="worker-1", passed={})
        with capture_logs() as logs:
            crew._heard(hand, ("login", 7, "alice", "right"))
            await until(lambda: line.frames)
        assert line.frames == [("answer", 7, None if failure else True)]
        assert len(named(logs, "worker_login_failed")) == (1 if failure else 0)
        await crew.end(grace_s=0)

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "plain", "ä ✓", "half \udc80 of one"])
def test_a_mail_is_the_same_behind_the_line(text):
    async def story():
        came: list[Any] = []
        ended = asyncio.Event()
        lines = []
        for end in socket.socketpair():
            lines.append(frames.WorkerLine(heard=came.append, lost=ended.set))
            await asyncio.get_running_loop().create_unix_connection(partial(lines.__getitem__, -1), sock=end)
        to = (Recipient("a@x", 1, "alice", text), Recipient("b@x", 2, "bob"))
        envelope = Envelope(text, to, Body(bytes(300_000), 400_000, b"digest", "file.eml"), "ESMTPS", "192.0.2.1")
        read = ReadMail(Header(3, text, "b@x", text, text, 5, text, None), "<id@x>", text)
        lines[0].say("mail", *frames.mail(envelope, read))
        lines[0].say("after")
        await until(lambda: len(came) == 2)
        assert frames.mail_of(came[0][1:]) == (envelope, read)
        assert (lines[0].said, lines[1].heard, came[1]) == (2, 2, ("after",))
        lines[0].say("last")
        lines[0].close()
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        await until(lambda: len(came) == 3)
        await until(lambda: all(line._transport is None for line in lines))
        for line in lines:
            line.say("nothing")
            line.close()
        assert lines[0].said == 3

    asyncio.run(story())


def test_replies_are_the_same_behind_the_line():
    some = (Reply(250, "2.0.0", "kept"), Reply(452, "4.2.2", "full"))
    assert frames.replies_of(frames.replies(some)) == some


def test_a_worker_without_a_bridge_ends(tmp_path):
    """Either end of what the bridge holds may be the first that is seen to be closed."""

    async def story(closed):
        near, far = socket.socketpair()
        passing, taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (far, taking):
            each.setblocking(False)
        worker = Worker(taking)
        working = asyncio.create_task(worker.run(far))
        line = frames.WorkerLine(heard=lambda _: None, lost=lambda: None)
        await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=near)
        line.say("settings", World(tmp_path).settings("worker-9").packed())
        line.say("begin")
        await until(lambda: line.heard)
        if closed == "line":
            line.close()
        passing.close()
        await asyncio.wait_for(working, PATIENCE_S)
        line.close()
        taking.close()

    for closed in ("line", "connections"):
        asyncio.run(story(closed))


def test_a_connection_for_which_there_is_no_room_is_told_to_the_bridge(tmp_path):
    async def story():
        near, far = socket.socketpair()
        passing, taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (far, taking):
            each.setblocking(False)
        came: list[Any] = []
        working = asyncio.create_task(Worker(taking).run(far))
        line = frames.WorkerLine(heard=came.append, lost=lambda: None)
        await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=near)
        line.say("settings", World(tmp_path).settings("worker-9").packed())
        line.say("begin")
        passing.send(b"7 smtp 0")  # the system gave it without its descriptor
        await until(lambda: ("left", 7) in came)
        line.close()
        await asyncio.wait_for(working, PATIENCE_S)
        passing.close()
        taking.close()

    asyncio.run(story())

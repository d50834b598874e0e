"""What a watcher does with keys, mail that leaves, a bridge that refuses, and the commands of its user."""

from __future__ import annotations

import itertools
import os
import signal
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest

from bridge.contract.header import pack_header
from bridge.model import Header
from clients.box.inbox import Gone, Shown
from clients.contract.header import decode_header
from clients.contract.requests import Reply
from clients.journal.file import Journal
from clients.relay import Relay
from clients.seen import SeenRequests
from clients.terminal.output import Output
from clients.terminal.screen import PlainScreen
from clients.terminal.watch.display import Effects, WatchDisplay
from clients.terminal.watch.hook import AT_ONCE, Hook
from clients.terminal.watch.loop import Watch

IDS = ("00t64ks8n", "00t64ks8p", "00t64ks8q")
PAYLOAD = pack_header(Header(0, "Ada", "ada@example.org", "Plan", "", 1), limit=512)


@pytest.fixture
def seen():
    return SeenRequests(next_request_id=itertools.count(1).__next__, jitter=lambda: 0.5)


@pytest.fixture
def display(tmp_path, seen):
    """Makes a display; `notices` and `written` are what it said."""
    notices = []
    with Journal(tmp_path / "state") as journal, (tmp_path / "out").open("wb") as stream:

        def make(*, mark_seen=False, hook=None):
            made = WatchDisplay(
                journal=journal,
                output=Output(stream.fileno()),
                screen=PlainScreen(with_gone=True),
                seen=seen,
                relay=Relay(tmp_path / "sock"),
                effects=Effects(alarm=None, hook=hook, mark_seen=mark_seen),
                notice=notices.append,
                clock=lambda: 0.0,
            )
            return SimpleNamespace(of=made, notices=notices, written=(tmp_path / "out").read_text)

        yield make


@pytest.mark.parametrize("mark_seen", [False, True])
def test_what_comes_back_is_asked_for_only_by_who_marks(display, seen, mark_seen):
    display(mark_seen=mark_seen).of.come_back(IDS[0])
    assert seen.wanted(IDS[0]) is mark_seen


@pytest.mark.parametrize("shown", [False, True])
def test_that_a_mail_left_is_said_of_one_that_was_shown(display, seen, shown):
    made = display(mark_seen=True)
    made.of.show(Shown(IDS[0], decode_header(PAYLOAD), PAYLOAD))
    before = made.written()
    made.of.vanish(Gone(IDS[0], shown))
    assert not seen.wanted(IDS[0])
    assert (made.written() != before) is shown


def test_a_refusal_for_good_is_told_once_and_nothing_is_asked_again(display, seen):
    made = display()
    seen.want(IDS)
    assert seen.request(0.0)
    made.of.answer(Reply(1, 1, 0, 0, b"", "no such operation"), b"")
    assert made.notices == ["the bridge did not mark messages as seen: no such operation"]
    assert not any(map(seen.wanted, IDS))
    made.of.answer(Reply(1, 1, 0, 0, b"", "again"), b"")
    assert len(made.notices) == 1


def test_commands_run_a_few_at_a_time_and_all_of_them_before_the_end(tmp_path):
    out = tmp_path / "ran"
    hook = Hook(f'cat >/dev/null; echo "$POSTBELL_ID" >> {out}', hidden=())
    ids = [f"id{n}" for n in range(2 * AT_ONCE + 1)]
    for each in ids:
        hook.run(each, b"{}\n")
        assert len(hook._running) <= AT_ONCE
    hook.finish()
    assert sorted(out.read_text().split()) == sorted(ids)


def test_a_command_sees_its_mail_and_not_what_is_hidden(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTBELL_PASSWORD", "secret")
    hook = Hook(f'cat > {tmp_path}/in; echo "<$POSTBELL_PASSWORD>" > {tmp_path}/env', hidden=("POSTBELL_PASSWORD",))
    hook.run("id", b'{"id": "id"}\n')
    hook.finish()
    assert (tmp_path / "in").read_text() == '{"id": "id"}\n'
    assert (tmp_path / "env").read_text() == "<>\n"


def stand_in(**parts: Any) -> Any:
    return SimpleNamespace(**parts)


def watch(seen, **parts):
    """A loop with three messages in the box, and neither broker nor terminal."""
    return Watch(
        **{
            "session": stand_in(),
            "device": stand_in(live=list(IDS)),
            "seen": seen,
            "relay": stand_in(),
            "effects": Effects(alarm=None, hook=None, mark_seen=False),
            "request_topic": "mail/alice/do/phone",
            "keys": None,
            "clock": lambda: 0.0,
            **parts,
        }
    )


@pytest.mark.parametrize(("keys", "pressed", "ended"), [("x", "x", False), ("3sq", "3sq", True), ("", "", True)])
def test_keys_go_to_the_desk_and_the_end_of_input_ends_it(seen, keys, pressed, ended):
    came = []
    desk = stand_in(quit=False)

    def press(key):
        came.append(key)
        desk.quit = key == "q"

    desk.press = press
    loop = watch(seen, desk=desk)
    loop._handle_keys(keys)
    assert "".join(came) == pressed
    assert loop._ended is ended


def test_after_a_signal_hook_and_keys_are_looked_after(seen):
    called = []
    loop = watch(
        seen,
        effects=Effects(alarm=None, hook=stand_in(poll=lambda: called.append("poll")), mark_seen=False),
        keys=stand_in(resume=lambda: called.append("resume")),
    )
    loop._handle_signals({17})
    assert called == ["poll", "resume"]
    assert not loop._ended
    loop._handle_signals({15})
    assert loop._ended


class Session:
    """A connection that is up or not, turn by turn, in which these descriptors have become readable."""

    def __init__(self, *turns, ready=()):
        self.up, self._turns, self._ready = False, list(turns), ready
        self.waited, self.published, self.closed = [], [], False

    def step(self, timeout_s, *, also):
        self.waited.append(timeout_s)
        self.up = self._turns.pop(0)
        if not self._turns:
            os.kill(os.getpid(), signal.SIGTERM)
            return also
        return []

    def publish(self, topic, request):
        self.published.append((topic, msgpack.unpackb(request)[2:]))

    def close(self):
        self.closed = True


def test_without_alarm_and_errands_it_waits_marks_what_it_showed_and_says_goodbye(seen, tmp_path):
    session = Session(False, True, True)
    device = stand_in(
        live=list(IDS),
        shown=IDS[:1],
        caught_up=True,
        show_unshown=lambda: None,
        due_at=lambda: 7.0,
        tend=lambda _: None,
    )
    effects = Effects(alarm=None, hook=None, mark_seen=True)
    watch(seen, session=session, device=device, relay=Relay(tmp_path / "sock"), effects=effects).run()
    assert session.waited[:2] == [None, None], "nothing is due while the broker is away"
    assert 0 < session.waited[2] <= 7.0
    assert session.published == [("mail/alice/do/phone", ["seen", IDS[0]])]
    assert session.closed

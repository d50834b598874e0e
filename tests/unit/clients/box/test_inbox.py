"""The inbox against a model of a box: shown once, live at the end what is live, whatever the order."""

from __future__ import annotations

import random

import msgpack
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clients.box.inbox import GRACE_S, LONGEST_WAIT_S, DigestHeard, Gone, Inbox, Live, Shown, Skipped
from clients.box.memory import GONE_IDS, Memory
from clients.contract.digest import Digest
from clients.contract.header import Header
from tests.support.contract import digest_of

A, B, C = "00t64ks8n", "00t64ks8p", "00t64ks8q"
MAIL = msgpack.packb([1, 0, "Ada", "ada@example.org", "subject"])
HEADER = Header(from_name="Ada", from_address="ada@example.org", subject="subject")


def packed(ids):
    digest = digest_of(ids)
    return msgpack.packb([1, digest.live, digest.check, digest.newest_id] if digest.live else [1])


def fresh(**known):
    return Inbox(Memory(), digest=None, now=0.0, **known)


def shown_in(changes):
    return [change.mail_id for change in changes if isinstance(change, Shown)]


def test_shows_a_header_once():
    inbox = fresh()
    assert inbox.apply_header(A, MAIL, retained=False, now=0) == [Shown(A, HEADER, MAIL)]
    assert inbox.apply_header(A, MAIL, retained=False, now=0) == []
    assert inbox.apply_header(A, MAIL, retained=True, now=0) == []
    assert inbox.apply_digest(packed([A]), now=0) == [DigestHeard(digest_of([A]))]
    assert inbox.agrees
    assert inbox.due_at() is None


def test_tombstone_and_return_show_nothing_again():
    inbox = fresh()
    inbox.apply_header(A, MAIL, retained=False, now=0)
    assert inbox.apply_header(A, b"", retained=False, now=0) == [Gone(A, shown=True)]
    assert inbox.apply_header(A, b"", retained=False, now=0) == []
    inbox.apply_digest(packed([]), now=0)
    assert inbox.apply_header(A, MAIL, retained=False, now=0) == []
    assert inbox.live == []
    assert Live(A) in inbox.apply_digest(packed([A]), now=0)
    assert inbox.live == [A]


def test_header_after_its_own_tombstone_waits_for_the_digest_and_is_dropped():
    inbox = fresh()
    inbox.apply_digest(packed([]), now=0)
    assert inbox.apply_header(A, b"", retained=False, now=0) == [Gone(A, shown=False)]
    assert inbox.apply_header(A, MAIL, retained=False, now=9.7) == []
    assert not inbox.check(9.7 + GRACE_S)
    assert inbox.due_at() is None
    assert inbox.apply_digest(packed([B]), now=20) == [DigestHeard(digest_of([B]))]
    assert shown_in(inbox.apply_header(B, MAIL, retained=False, now=20)) == [B]


def test_header_of_a_gone_message_that_was_never_shown_is_shown_when_the_digest_has_it():
    inbox = fresh()
    inbox.apply_digest(packed([]), now=0)
    inbox.apply_header(A, b"", retained=False, now=0)
    inbox.apply_header(A, MAIL, retained=False, now=1)
    assert shown_in(inbox.apply_digest(packed([A]), now=1)) == [A]


def test_digest_that_came_first_decides_at_once():
    inbox = fresh()
    inbox.apply_header(A, b"", retained=False, now=0)
    inbox.apply_digest(packed([A]), now=0)
    assert shown_in(inbox.apply_header(A, MAIL, retained=False, now=1)) == [A]


def test_disagreement_heals_after_a_while_then_less_and_less_often():
    inbox = fresh()
    inbox.apply_header(A, MAIL, retained=False, now=0)
    inbox.apply_digest(packed([A, B]), now=10)
    assert not inbox.check(10 + GRACE_S - 0.1)
    now, waits = 10 + GRACE_S, []
    for _ in range(14):
        assert inbox.check(now)
        inbox.subscribed(now)
        inbox.apply_header(A, MAIL, retained=True, now=now)
        waits.append(inbox.due_at() - now)
        now = inbox.due_at()
    assert waits[:3] == [2 * GRACE_S, 4 * GRACE_S, 8 * GRACE_S]
    assert waits[-1] == LONGEST_WAIT_S
    assert shown_in(inbox.apply_header(B, MAIL, retained=True, now=now)) == [B]
    assert inbox.due_at() is None


def test_a_mail_that_comes_back_before_its_digest_keeps_the_box_from_being_sure():
    """As after `unseen`: the views follow the header after a moment."""
    inbox = fresh()
    inbox.apply_header(A, MAIL, retained=False, now=0)
    inbox.apply_header(A, b"", retained=False, now=1)
    inbox.apply_digest(packed([]), now=1)
    assert inbox.sure
    inbox.apply_header(A, MAIL, retained=False, now=2)
    assert inbox.agrees
    assert not inbox.sure
    inbox.apply_digest(packed([A]), now=3)
    assert inbox.sure
    assert inbox.live == [A]
    inbox.apply_header(A, b"", retained=False, now=4)
    inbox.apply_digest(packed([]), now=4)
    inbox.apply_header(A, MAIL, retained=False, now=5)
    assert not inbox.check(20)
    assert inbox.sure, "nothing more came, so it was late"


def test_healing_drops_leftovers_only_after_a_new_digest():
    inbox = fresh()
    for each in (A, B):
        inbox.apply_header(each, MAIL, retained=False, now=0)
    inbox.apply_digest(packed([]), now=0)
    inbox.subscribed(10)
    assert inbox.apply_header(B, MAIL, retained=True, now=10) == []
    changes = inbox.apply_digest(packed([B]), now=10)
    assert changes == [DigestHeard(digest_of([B])), Gone(A, shown=True)]
    assert inbox.live == [B]


def test_old_digest_does_not_end_the_healing():
    inbox = fresh()
    for each in (A, B):
        inbox.apply_header(each, MAIL, retained=False, now=0)
    inbox.apply_digest(packed([A]), now=0)
    inbox.subscribed(10)
    assert inbox.apply_header(A, MAIL, retained=True, now=10) == []
    assert inbox.apply_header(B, MAIL, retained=True, now=10) == []
    assert inbox.live == [A, B]
    inbox.apply_digest(packed([A, B]), now=10)
    assert inbox.agrees


def test_busy_box_heals_as_well():
    inbox = fresh()
    inbox.apply_header(A, MAIL, retained=False, now=0)
    inbox.apply_digest(packed([A, B]), now=0)
    now = 0
    while now < 59:
        now += 1
        inbox.apply_header(A, MAIL, retained=False, now=now)
        assert not inbox.check(now)
    assert inbox.check(60)


def test_unreadable_header_counts_as_live_and_is_shown_when_it_can_be_read():
    inbox = fresh()
    other = msgpack.packb([2, "?"])
    live, skipped = inbox.apply_header(A, other, retained=False, now=0)
    assert live == Live(A)
    assert isinstance(skipped, Skipped)
    assert skipped.other_version
    inbox.apply_digest(packed([A]), now=0)
    assert inbox.agrees
    assert shown_in(inbox.apply_header(A, MAIL, retained=False, now=0)) == [A]


def test_malformed_digest_changes_nothing():
    inbox = fresh()
    inbox.apply_digest(packed([]), now=0)
    (skipped,) = inbox.apply_digest(b"\xc1", now=0)
    assert isinstance(skipped, Skipped)
    assert not skipped.other_version
    assert inbox.agrees
    assert inbox.apply_digest(b"", now=0) == []


def test_nothing_is_asked_for_without_a_digest_and_without_mail():
    inbox = fresh()
    assert inbox.due_at() is None
    inbox.apply_header(A, MAIL, retained=False, now=0)
    assert inbox.due_at() == GRACE_S


def test_memory_forgets_the_oldest_of_the_vanished_but_never_what_is_live():
    memory = Memory()
    memory.came("00000000a", shown=True)
    for number in range(GONE_IDS + 5):
        memory.came(f"{number:09}", shown=True)
        memory.went(f"{number:09}")
    assert len(memory.gone) == GONE_IDS
    assert not memory.was_shown("000000004")
    assert memory.was_shown("000000005")
    assert memory.was_shown("00000000a")


def test_memory_of_many_returns_from_the_newest_to_the_oldest_loses_none():
    """A full box that is read through brings older mail back; a low-water mark would lose it."""
    inbox, shown = fresh(), []
    ids = [f"{number:09}" for number in range(400)]
    for start in range(300, -1, -100):
        for each in ids[start : start + 100]:
            shown += shown_in(inbox.apply_header(each, MAIL, retained=False, now=0))
        for each in ids[start : start + 100]:
            inbox.apply_header(each, b"", retained=False, now=0)
    assert sorted(shown) == ids


class BoxMachine(RuleBasedStateMachine):
    """A bridge with a true live set, a wire that loses, doubles and reorders, and a client that restarts."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self.choose = random.Random(seed)
        self.now = 0.0
        self.live, self.known, self.ever = set(), set(), []
        self.wire = []
        self.memory = Memory()  # what the journal of the client adds up to
        self.digest = None
        self.shown = []
        self.restart()

    @rule()
    def new_mail(self):
        mail_id = f"{len(self.ever):09}"
        self.ever.append(mail_id)
        self.live.add(mail_id)
        self.wire.append((mail_id, MAIL))
        self.wire.append(("box", packed(self.live)))

    @rule()
    @precondition(lambda self: self.live)
    def leave(self):
        mail_id = self.choose.choice(sorted(self.live))
        self.live.discard(mail_id)
        self.wire.append((mail_id, b""))
        self.wire.append(("box", packed(self.live)))

    @rule()
    @precondition(lambda self: set(self.ever) - self.live)
    def come_back(self):
        mail_id = self.choose.choice(sorted(set(self.ever) - self.live))
        self.live.add(mail_id)
        self.wire.append((mail_id, MAIL))
        self.wire.append(("box", packed(self.live)))

    @rule(count=st.integers(1, 10))
    def deliver_in_order(self, count):
        for _ in range(min(count, len(self.wire))):
            self.arrive(*self.wire.pop(0))

    @rule()
    @precondition(lambda self: self.wire)
    def deliver_any_and_maybe_again(self):
        topic, payload = self.choose.choice(self.wire)
        self.arrive(topic, payload)
        if self.choose.random() < 0.7:
            self.wire.remove((topic, payload))

    @rule()
    @precondition(lambda self: self.wire)
    def lose(self):
        self.wire.pop(self.choose.randrange(len(self.wire)))

    @rule()
    def restart(self):
        self.inbox = Inbox(self.memory.copy(), digest=self.digest, now=self.now)

    @rule()
    def resubscribe(self):
        self.inbox.subscribed(self.now)
        replay = [(each, MAIL) for each in self.live] + [("box", packed(self.live))]
        self.choose.shuffle(replay)
        self.wire.clear()  # what was under way came before the broker's answer
        for topic, payload in replay:
            self.arrive(topic, payload, retained=True)

    @rule(seconds=st.floats(0.1, 5))
    def time_passes(self, seconds):
        self.now += seconds
        if self.inbox.check(self.now):
            self.resubscribe()

    def arrive(self, topic, payload, *, retained=False):
        if topic == "box":
            changes = self.inbox.apply_digest(payload, now=self.now)
        else:
            changes = self.inbox.apply_header(topic, payload, retained=retained, now=self.now)
        for change in changes:
            match change:
                case Shown(mail_id):
                    self.shown.append(mail_id)
                    self.memory.came(mail_id, shown=True)
                case Live(mail_id):
                    self.memory.came(mail_id)
                case Gone(mail_id):
                    self.memory.went(mail_id)
                case DigestHeard(digest):
                    self.digest = digest

    @invariant()
    def nothing_is_shown_twice(self):
        assert len(self.shown) == len(set(self.shown))
        assert set(self.shown) <= set(self.ever)

    @invariant()
    def journal_and_inbox_tell_the_same(self):
        assert sorted(self.memory.live) == self.inbox.live

    def teardown(self):
        """All calms down; the inbox asks for what it misses, and in the end it has exactly all."""
        self.arrive("box", packed(self.live))
        for _ in range(20):
            deadline = self.inbox.due_at()
            if deadline is None:
                break
            self.now = max(self.now, deadline)
            if self.inbox.check(self.now):
                self.resubscribe()
        assert set(self.inbox.live) == self.live
        assert self.live <= set(self.shown)


BoxMachine.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestBox = BoxMachine.TestCase


def test_digest_dataclass_of_nothing_is_the_empty_box():
    assert digest_of([]) == Digest()

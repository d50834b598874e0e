"""Two sides that may change their minds at any time agree in the end, and nobody is told what nobody did."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mailbox.agreeing import Agreed, By, Compared, compared, met

EITHER = (False, True)


@pytest.mark.parametrize(("known", "here"), list(product(EITHER, EITHER)))
def test_without_news_only_the_message_can_have_changed(known, here):
    outcome = compared(Agreed(known), here=here, there=None)
    assert outcome.here is None
    assert outcome.there == (None if here == known else here)
    assert outcome.agreed == Agreed(known, doubt=here != known)


@pytest.mark.parametrize(("known", "here", "there"), list(product(EITHER, EITHER, EITHER)))
def test_who_changed_its_mind_is_followed(known, here, there):
    outcome = compared(Agreed(known), here=here, there=there)
    assert (outcome.here, outcome.there) == {
        (True, True): (None, None),
        (True, False): (None, here),
        (False, True): (there, None),
        (False, False): (None, None),
    }[there == known, here == known]


@pytest.mark.parametrize(("known", "here", "there"), list(product(EITHER, EITHER, EITHER)))
def test_in_doubt_what_the_mailbox_says_is_taken_for_nobodys_doing(known, here, there):
    outcome = compared(Agreed(known, doubt=True), here=here, there=there)
    assert outcome.here is None
    assert outcome.agreed == (Agreed(here) if here == there else Agreed(known, doubt=True))
    assert outcome.there == (None if here == there else here)


def test_who_meets_for_the_first_time_has_read_what_either_read():
    assert met(here=False, there=False, by=None) == Compared(Agreed(seen=False))
    assert met(here=True, there=True, by="phone") == Compared(Agreed(seen=True))
    assert met(here=False, there=True, by=None) == Compared(Agreed(seen=True), here=True)
    assert met(here=True, there=False, by="phone") == Compared(Agreed(seen=False, doubt=True), there=True)
    assert met(here=True, there=False, by=By.MAILBOX) == Compared(Agreed(seen=False, doubt=True), there=True)


def test_what_was_only_moved_is_as_it_stands_there():
    assert met(here=True, there=False, by=By.GONE) == Compared(Agreed(seen=False), here=False)


class World:
    """One mail on both sides, and a follower between them that may lose its connection at any step."""

    def __init__(self):
        self.here = self.there = False
        self.known = Agreed(seen=False)
        self.on_its_way = None
        """What the mailbox was told, and has not done yet."""
        self.answered = None
        """What it has done, and we have not heard."""
        self.told = 0
        self.followed = 0

    def device(self, seen):
        self.here = seen

    def client(self, seen):
        self.there = seen

    def look(self, *, asked):
        """One transaction: what the mailbox says, if it was asked, and what follows."""
        outcome = compared(self.known, here=self.here, there=self.there if asked else None)
        self.known = outcome.agreed
        if outcome.here is not None:
            self.here = outcome.here
            self.followed += 1
        pending = compared(self.known, here=self.here, there=None)
        self.known = pending.agreed
        if pending.there is not None:
            self.on_its_way = pending.there
            self.told += 1

    def arrive(self):
        if self.on_its_way is not None:
            self.there, self.answered, self.on_its_way = self.on_its_way, self.on_its_way, None

    def hear(self):
        if self.answered is not None:
            self.known, self.answered = Agreed(self.answered), None

    def lose(self):
        """The connection is lost, or the process killed; what was on its way may have arrived before or not."""
        self.on_its_way = self.answered = None

    def settle(self):
        self.lose()
        for _ in range(3):
            self.look(asked=True)
            self.arrive()
            self.hear()


STEPS = st.one_of(
    st.tuples(st.sampled_from(["device", "client"]), st.booleans()),
    st.tuples(st.sampled_from(["look", "nudge", "arrive", "hear", "lose"])),
)


def play(steps):
    world = World()
    for name, *value in steps:
        if name in {"device", "client"}:
            getattr(world, name)(*value)
        elif name in {"look", "nudge"}:
            if world.on_its_way is None and world.answered is None:  # one command after another
                world.look(asked=name == "look")
        else:
            getattr(world, name)()
    return world


@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_both_agree_in_the_end_and_then_nothing_is_said_any_more(steps):
    world = play(steps)
    world.settle()
    assert world.here == world.there == world.known.seen
    assert not world.known.doubt
    before = world.told, world.followed
    world.settle()
    assert (world.told, world.followed) == before, "no echo"


@given(st.lists(STEPS.filter(lambda step: step[1:] != (True,)), max_size=40))
def test_nothing_is_seen_that_nobody_read(steps):
    world = play(steps)
    world.settle()
    assert (world.here, world.there) == (False, False)
    assert world.followed == world.told == 0


@given(st.lists(STEPS, max_size=30), st.booleans(), st.sampled_from(["device", "client"]))
def test_the_last_word_is_heard_when_nothing_was_on_its_way(steps, word, who):
    world = play(steps)
    world.settle()
    getattr(world, who)(word)
    world.settle()
    assert world.here == world.there == word


def test_a_word_that_may_have_arrived_is_not_taken_for_the_clients():
    """The device says seen and changes its mind, and the process dies behind the first word: the second one holds."""
    world = World()
    world.device(seen=True)
    world.look(asked=True)
    world.arrive()
    world.lose()
    world.device(seen=False)
    world.settle()
    assert (world.here, world.there) == (False, False)

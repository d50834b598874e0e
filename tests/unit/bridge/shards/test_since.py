"""Where the rows of a cell begin: never behind one that may still be committed."""

from __future__ import annotations

import random
from typing import Any

from bridge.shards.since import MOMENT_S, WALK_S, Beginnings, after_messages, after_views, anew, grown_old
from bridge.store.stretch import Moment, Stretch


def stretch(last, *, oldest, next_one, **first):
    return Stretch(found=[], began=Moment(last=last, oldest=oldest, next_one=next_one), **first)


def test_a_place_is_sure_when_all_have_ended_who_were_there_a_moment_later():
    since = Beginnings(began_at=0.0)
    since = after_messages(since, stretch(9, oldest=1, next_one=5), new=True, now=1.0)
    assert (since.marked, since.sure, since.noted) == (0, 0, 9)
    since = after_messages(since, stretch(20, oldest=5, next_one=5), new=True, now=1.0 + MOMENT_S / 2)
    assert since.until is None, "whoever had the ninth place may have no number yet"
    since = after_messages(since, stretch(20, oldest=4, next_one=6), new=True, now=1.1 + MOMENT_S)
    assert (since.until, since.sure) == (6, 0)
    since = after_messages(since, stretch(30, oldest=5, next_one=8), new=True, now=2.2 + MOMENT_S)
    assert since.sure == 0, "the fifth is under way"
    since = after_messages(since, stretch(30, oldest=6, next_one=8), new=True, now=2.3 + MOMENT_S)
    assert (since.sure, since.marked, since.new, since.noted) == (10, 10, 10, 30)


def test_it_begins_with_the_first_of_its_own_and_goes_never_back():
    known = Beginnings(began_at=0.0, sure=100, noted=200, noted_at=0.0, until=9)
    since = after_messages(known, stretch(300, oldest=1, next_one=10, marked=40, new=150), new=True, now=0.0)
    assert (since.marked, since.new, since.views) == (40, 100, 0)
    since = after_views(since, stretch(300, oldest=1, next_one=10, views=70), now=0.0)
    assert (since.marked, since.new, since.views) == (40, 100, 70)


def test_a_walk_that_did_not_look_for_new_ones_says_nothing_of_them():
    known = Beginnings(began_at=0.0, sure=100, noted=200, noted_at=0.0, until=9)
    since = after_messages(known, stretch(300, oldest=1, next_one=10), new=False, now=0.0)
    assert (since.marked, since.new) == (100, 0)


def test_now_and_then_it_begins_at_the_start():
    since = Beginnings(began_at=5.0)
    assert not grown_old(since, now=5.0 + WALK_S)
    assert grown_old(since, now=5.1 + WALK_S)


def test_anew_it_begins_at_the_start_and_what_is_sure_stays_so():
    since = Beginnings(began_at=5.0, moves=2, marked=7, new=8, views=9, sure=10, noted=20)
    assert anew(since, now=6.0) == Beginnings(began_at=6.0, moves=2, sure=10, noted=20)
    assert anew(since, now=6.0, moves=3).moves == 3


def test_whatever_the_order_of_commits_no_row_is_left_out():
    """A model of the database: places in order, transactions that end in any, numbered within a moment."""
    for seed in range(300):
        chance = random.Random(seed)
        since, clock, last, number = Beginnings(began_at=0.0), 0.0, 0, 1
        running: list[Any] = []
        visible: set[int] = set()
        for _ in range(80):
            clock += chance.uniform(0, MOMENT_S)
            for each in running:
                if each["number"] is None and (chance.random() < 0.5 or clock - each["at"] > MOMENT_S / 2):
                    each["number"], number = number, number + 1
            if chance.random() < 0.5:
                last += 1
                running.append({"place": last, "number": None, "at": clock})
            ended = [each for each in running if each["number"] is not None and chance.random() < 0.3]
            running = [each for each in running if each not in ended]
            visible |= {each["place"] for each in ended}
            oldest = min((each["number"] for each in running if each["number"] is not None), default=number)
            found = sorted(place for place in visible if place >= since.views)
            since = after_views(
                since, stretch(last, oldest=oldest, next_one=number, views=found[0] if found else None), now=clock
            )
            assert not any(each["place"] < since.views for each in running), seed
            assert not any(place < since.views for place in visible), seed
            if found and chance.random() < 0.5:
                visible.discard(found[0])

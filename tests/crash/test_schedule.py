"""A seed means the same run every time, and every point it names is a place in the programs."""

from __future__ import annotations

import importlib
from functools import reduce

import pytest

from bridge.model import Body, Envelope, Header
from bridge.store import messages
from bridge.store.writer import Job
from tests.crash import messages as mails
from tests.crash.points import PLACES
from tests.crash.scenarios import slow_link
from tests.crash.schedule import BRIDGE_POINTS, BROKER_POINTS, LINK_FAULTS, WATCHER_POINTS, Scope, draw
from tests.support import UNUSED

POINTS = {*BRIDGE_POINTS, *BROKER_POINTS, *WATCHER_POINTS}
BY_HAND = {"after_reply"}
"""Points that are more than a wrapped method."""


@pytest.mark.parametrize("seed", range(1, 30))
def test_a_seed_is_one_schedule(seed):
    scope = Scope(root=True)
    assert draw(seed, scope) == draw(seed, scope)
    assert draw(seed, scope) != draw(seed + 1, scope)


@pytest.mark.parametrize("seed", range(1, 30))
def test_a_schedule_stays_within_its_scope(seed):
    scope = Scope(targets=("bridge",), links=("devices",), kills=5, seconds=3.0)
    schedule = draw(seed, scope)
    assert {action.target for action in schedule.actions} <= {"bridge", "devices"}
    assert {action.kind for action in schedule.actions} <= {"kill", "stop", *LINK_FAULTS}
    assert sum(action.kind == "kill" for action in schedule.actions) >= 5
    assert all(0 <= action.at <= 3.0 for action in schedule.actions)
    assert [action.at for action in schedule.actions] == sorted(action.at for action in schedule.actions)


def test_all_faults_and_points_occur_within_a_few_seeds():
    schedules = [draw(seed, Scope(root=True)) for seed in range(1, 31)]
    kinds = {action.kind for schedule in schedules for action in schedule.actions}
    assert kinds == {"kill", "stop", "disk", "netns", *LINK_FAULTS}
    launches = [launch for schedule in schedules for points in schedule.points.values() for launch in points]
    assert {launch.partition(":")[0] for launch in launches if launch} == POINTS


def test_every_point_is_a_place():
    assert {*PLACES, *BY_HAND} == POINTS


@pytest.mark.parametrize("name", PLACES)
def test_every_place_is_there(name):
    place = PLACES[name]
    assert callable(reduce(getattr, place.method.split("."), importlib.import_module(place.module)))


def test_the_points_around_a_commit_know_a_mail():
    envelope = Envelope("", (), Body(b"", 0, b""))
    keeping = Job(messages.keep, (envelope, Header(0, "", "", "", "", 0)), {}, UNUSED)
    for name in ("before_commit", "after_commit"):
        assert PLACES[name].when(None, [keeping])
        assert not PLACES[name].when(None, [Job(messages.set_seen, (1, []), {"seen": True}, UNUSED)])


def test_a_slow_link_drops_every_second():
    schedule = slow_link(seconds=120, messages=600)
    assert [action.at for action in schedule.actions if action.kind == "cut"] == [float(s) for s in range(1, 121)]


def test_every_mail_says_its_marker_and_who_gets_it():
    for number in range(200):
        mail = mails.draw(number, seed=1, users=("alice", "bob"))
        assert mail == mails.draw(number, seed=1, users=("alice", "bob"))
        assert mails.marker_in(f"{mail.marker} of this run") == mail.marker
        assert {address.partition("@")[0].partition("+")[0] for address in mail.recipients} == set(mail.users)
        assert (b"Message-ID:" in mail.raw) is mail.repeatable
        assert max(map(len, mail.raw.split(b"\r\n"))) < 998

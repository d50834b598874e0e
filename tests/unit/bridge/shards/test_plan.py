"""What one beat does about leases, for all that the database may say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.shards.plan import (
    BEAT_S,
    LEASE_S,
    SHARDS,
    Lease,
    Node,
    Tenure,
    fair_share,
    is_dead,
    is_there,
    plan,
    stops_at,
)

NAMES = ("a", "b", "c")
SHARD_NUMBERS = st.integers(0, SHARDS - 1)


@st.composite
def leases(draw):
    owners = st.sampled_from((None, *NAMES))
    return [
        Lease(shard=shard, owner=draw(owners), epoch=draw(st.integers(0, 3)), left_s=draw(st.sampled_from((-1.0, 2.0))))
        for shard in range(SHARDS)
    ]


@st.composite
def nodes(draw):
    silent = st.sampled_from((0.0, 1.0, 2.0, 3.9, 5.0))
    return [Node(name=name, silent_s=draw(silent), session=draw(st.booleans())) for name in NAMES]


@st.composite
def tenures(draw):
    return Tenure(
        node="a",
        epochs=draw(st.dictionaries(SHARD_NUMBERS, st.integers(0, 3))),
        draining=draw(st.frozensets(SHARD_NUMBERS)),
        busy=draw(st.frozensets(SHARD_NUMBERS)),
        judging=draw(st.booleans()),
    )


def kept_of(tenure, rows):
    return {
        row.shard
        for row in rows
        if row.owner == tenure.node and row.left_s > 0 and tenure.epochs.get(row.shard) == row.epoch
    }


@given(tenures(), leases(), nodes())
def test_what_this_process_has_not_under_its_own_epoch_it_has_lost(tenure, rows, all_nodes):
    beat = plan(tenure, rows, all_nodes)
    assert beat.lost == tenure.epochs.keys() - kept_of(tenure, rows)


@given(tenures(), leases(), nodes())
def test_it_takes_what_is_free_and_no_more_than_its_share(tenure, rows, all_nodes):
    beat = plan(tenure, rows, all_nodes)
    kept = kept_of(tenure, rows)
    dead = {node.name for node in all_nodes if is_dead(node) and node.name != "a"} if tenure.judging else set()
    present = 1 + sum(is_there(node) for node in all_nodes if node.name != "a")
    assert len(kept - beat.draining) + len(beat.take) <= fair_share(present)
    for shard, epoch in beat.take.items():
        row = rows[shard]
        assert shard not in kept
        assert epoch == row.epoch
        assert row.owner in {None, "a"} | dead or row.left_s <= 0


@given(tenures(), leases(), nodes())
def test_it_gives_back_only_what_has_drained(tenure, rows, all_nodes):
    beat = plan(tenure, rows, all_nodes)
    assert beat.draining <= kept_of(tenure, rows)
    assert beat.release <= beat.draining & tenure.draining
    assert not beat.release & tenure.busy
    assert not (beat.draining and beat.take)


@given(leases(), nodes())
def test_whoever_was_away_judges_nobody(rows, all_nodes):
    beat = plan(Tenure(node="a", epochs={}, judging=False), rows, all_nodes)
    assert beat.dead == frozenset()
    assert all(rows[shard].owner in {None, "a"} or rows[shard].left_s <= 0 for shard in beat.take)


def test_a_node_with_a_session_is_not_dead_and_one_without_is_as_soon_as_it_is_silent():
    assert not is_dead(Node(name="b", silent_s=3.9, session=True))
    assert is_dead(Node(name="b", silent_s=1.6, session=False))
    assert not is_dead(Node(name="b", silent_s=1.4, session=False))
    assert is_there(Node(name="b", silent_s=3.9, session=True))
    assert not is_there(Node(name="b", silent_s=4.1, session=True))
    assert not is_there(Node(name="b", silent_s=1.6, session=False))


def test_what_drains_goes_on_when_there_is_nobody_to_have_it():
    """A node came, and was gone before its share had drained."""
    rows = [Lease(shard=shard, owner="a", epoch=1, left_s=3) for shard in range(SHARDS)]
    tenure = Tenure(node="a", epochs=dict.fromkeys(range(SHARDS), 1), busy=frozenset(range(SHARDS)))
    came = [Node(name="b", silent_s=0, session=True)]
    draining = plan(tenure, rows, came).draining
    assert draining == frozenset(range(32, 64))
    assert plan(replace(tenure, draining=draining), rows, []).draining == frozenset()


def test_the_next_beat_is_due_when_something_ends():
    rows = [Lease(shard=0, owner="b", epoch=1, left_s=0.5), Lease(shard=1, owner="a", epoch=1, left_s=0.1)]
    tenure = Tenure(node="a", epochs={1: 1})
    assert plan(tenure, rows, []).again_s == pytest.approx(0.52)
    silent = [Node(name="b", silent_s=1.2, session=False), Node(name="c", silent_s=0, session=True)]
    assert plan(tenure, rows, silent).again_s == pytest.approx(0.32)
    assert plan(tenure, rows[1:], []).again_s == BEAT_S


def test_it_stops_before_its_lease_ends():
    assert stops_at(100.0) < 100.0 + LEASE_S


class World:
    """Three bridges by their plans alone: each beat is done as the database would, at once or not at all."""

    def __init__(self):
        self.rows = [Lease(shard=shard, owner=None, epoch=0, left_s=0) for shard in range(SHARDS)]
        self.epochs = {name: {} for name in NAMES}
        self.draining = dict.fromkeys(NAMES, frozenset())
        self.alive = set()

    def beat(self, name):
        nodes = [Node(name=each, silent_s=0 if each in self.alive else 9, session=each in self.alive) for each in NAMES]
        tenure = Tenure(node=name, epochs=self.epochs[name], draining=self.draining[name])
        done = plan(tenure, self.rows, nodes)
        epochs = {shard: epoch for shard, epoch in self.epochs[name].items() if shard not in done.lost | done.release}
        for shard in done.release:
            self.rows[shard] = replace(self.rows[shard], owner=None, left_s=0)
        for shard, epoch in done.take.items():
            self.rows[shard] = replace(self.rows[shard], owner=name, epoch=epoch + 1, left_s=4)
            epochs[shard] = epoch + 1
        self.epochs[name], self.draining[name] = epochs, done.draining - done.release

    def second(self):
        """Leases that nobody renews end: of who is gone, and of a predecessor of the same name."""
        for shard, lease in enumerate(self.rows):
            owner = lease.owner or ""
            renewed = owner in self.alive and self.epochs[owner].get(shard) == lease.epoch
            self.rows[shard] = lease if renewed else replace(lease, left_s=lease.left_s - 1)


@example([("beat", "a"), ("come", "b"), ("go", "a")])  # a new process of a name takes half of what the old one had
@given(st.lists(st.tuples(st.sampled_from(("come", "go", "beat")), st.sampled_from(NAMES)), max_size=30))
def test_whatever_comes_and_goes_the_shards_are_spread_in_the_end_and_none_has_two_owners(story):
    world = World()
    for what, name in [*story, ("come", "a")]:
        if what == "come" and name not in world.alive:
            world.epochs[name], world.draining[name] = {}, frozenset()  # a new process
        (world.alive.discard if what == "go" else world.alive.add)(name)
        if what == "beat":
            world.beat(name)
    for _ in range(8):
        for name in sorted(world.alive):
            world.beat(name)
        world.second()
    held = [world.epochs[name].keys() for name in sorted(world.alive)]
    assert sum(map(len, held)) == len(set().union(*held)) == SHARDS
    assert max(map(len, held)) <= fair_share(len(world.alive))

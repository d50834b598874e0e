"""Who goes to which cell, and what a proxy is told of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge import cells
from bridge.cells import Cell, MapChange, Occupied, emptiest, spread


def occupied(*users, draining=()):
    return [
        Occupied(Cell(cell_id=number, name=f"c{number}", url="", draining=number in draining), count)
        for number, count in enumerate(users)
    ]


def test_the_next_user_goes_where_the_fewest_are_and_nobody_drains():
    assert emptiest(occupied(3, 1, 2)).name == "c1"
    assert emptiest(occupied(3, 1, 2, draining={1})).name == "c2"
    assert emptiest(occupied(2, 2)).name == "c0", "the older of equals"
    assert emptiest(occupied(0, draining={0})) is None


def test_many_are_spread_so_that_cells_are_level():
    assert [cell.name for cell in spread(4, occupied(3, 1, 2))] == ["c1", "c1", "c2", "c0"]
    assert spread(2, occupied(0, draining={0})) == []
    assert spread(0, occupied(1)) == []


PAIRS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["east", "west"])).map(
    lambda found: sorted(found.items())
)


@given(before=PAIRS, now=PAIRS)
def test_changes_make_of_one_map_the_other(before, now):
    told = dict(before)
    for change in cells.changes(before, now):
        assert told.get(change.user) == change.before != change.now
        if change.now is None:
            del told[change.user]
        else:
            told[change.user] = change.now
    assert told == dict(now)
    assert cells.parse("".join(cells.line(*each) for each in now)) == now


def test_lines_that_are_none_are_left_out():
    assert cells.parse("alice east\n\nnonsense\nbob west\n") == [("alice", "east"), ("bob", "west")]
    assert list(cells.changes((), [("alice", "east")])) == [MapChange("alice", None, "east")]

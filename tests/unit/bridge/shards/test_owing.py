"""Fences that are owed: what a lease says of them, and what bars a shard from being served where."""

from __future__ import annotations

from bridge.shards.owing import Debts, Owed, owed


def test_whoever_had_it_last_is_owed_at_all_cells_and_others_where_that_is_said():
    assert owed(["a", "b@1"], [0, 1], me="c") == {Owed("a", 0), Owed("a", 1), Owed("b", 1)}


def test_nothing_is_owed_at_a_cell_that_is_no_more_nor_to_oneself():
    assert owed(["a@7", "c", "c@0"], [0, 1], me="c") == frozenset()


def test_as_it_stands_in_a_lease_it_is_read_again():
    some = {Owed("a", 0), Owed("b", 12)}
    assert owed(map(str, some), [0, 12], me="c") == some


def test_a_shard_is_barred_where_anything_is_owed_of_it():
    debts = Debts()
    debts.add(5, {Owed("a", 1), Owed("b", 1), Owed("a", 2)})
    debts.add(6, {Owed("a", 1)})
    debts.add(7, ())
    assert debts.cells == {1, 2}
    assert [debts.bars(shard, cell) for shard in (5, 6, 7) for cell in (0, 1, 2)] == [
        *(False, True, True),
        *(False, True, False),
        *(False, False, False),
    ]
    assert debts.at(1) == {5: {"a", "b"}, 6: {"a"}}


def test_it_is_free_once_all_is_paid_there():
    debts = Debts()
    debts.add(5, {Owed("a", 1), Owed("b", 1), Owed("a", 2)})
    assert debts.pay(1, {5: {"a"}}) == frozenset()
    assert debts.pay(1, {5: {"b"}, 9: {"a"}}) == {5}
    assert debts.of(5) == {Owed("a", 2)}
    debts.drop(2)
    assert debts.cells == frozenset()
    debts.add(6, {Owed("a", 1)})
    debts.forget([6, 7])
    assert debts.at(1) == {}

"""What the broker refused rests for longer each time, until it is taken or the connection is another one."""

from __future__ import annotations

from bridge.publish.refusals import LONGEST_S, Refusals


def test_the_wait_doubles_up_to_a_bound_for_each_path():
    refusals = Refusals()
    waits = [refusals.refused_for_s("a/box") for _ in range(12)]
    assert waits[:3] == [2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_S
    assert refusals.refused_for_s("b/box") == 2.0
    assert refusals.resting == {"a/box", "b/box"}


def test_what_is_due_is_offered_and_refused_again_for_longer():
    refusals = Refusals()
    refusals.refused_for_s("a/box")
    refusals.due("a/box")
    assert refusals.resting == set()
    assert refusals.refused_for_s("a/box") == 4.0


def test_what_was_taken_and_another_connection_begin_anew():
    refusals = Refusals()
    refusals.refused_for_s("a/box")
    refusals.taken("a/box")
    assert refusals.resting == set()
    assert refusals.refused_for_s("a/box") == 2.0
    refusals.clear()
    assert refusals.resting == set()
    assert refusals.refused_for_s("a/box") == 2.0
    refusals.due("of an earlier connection")

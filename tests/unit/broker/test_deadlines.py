"""What is due when, and for whom most waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.deadlines import Deadlines
from broker.quota import Quota


def test_names_are_due_once_at_their_earliest_time():
    deadlines = Deadlines()
    for name, at in (("a", 5.0), ("b", 3.0), ("a", 9.0), ("a", 4.0)):
        deadlines.set(name, at)
    assert (len(deadlines), deadlines.next_at, deadlines.due(2.9)) == (2, 3.0, [])
    assert deadlines.due(4.0) == ["b", "a"]
    assert deadlines.due(100.0) == []
    assert deadlines.next_at is None


def test_what_is_due_before_all_else_is_told():
    deadlines, told = Deadlines(), []
    deadlines.sooner = lambda: told.append(deadlines.next_at)
    for name, at in (("a", 5.0), ("b", 3.0), ("c", 4.0), ("a", 2.0), ("a", 9.0)):
        deadlines.set(name, at)
    assert told == [5.0, 3.0, 2.0]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=60), st.integers(0, 50))
def test_whoever_asks_hears_of_all_that_is_due(told, now):
    deadlines, earliest = Deadlines(), {}
    for name, at in told:
        deadlines.set(name, float(at))
        earliest[name] = min(at, earliest.get(name, at))
    assert sorted(deadlines.due(now)) == sorted(name for name, at in earliest.items() if at <= now)
    assert len(deadlines) == sum(at > now for at in earliest.values())


def test_one_name_that_is_always_put_off_takes_one_place():
    deadlines = Deadlines()
    for at in range(1000):
        deadlines.set("a", float(at))
    assert len(deadlines._heap) == 1


def test_a_quota_counts_only_who_is_away():
    quota = Quota(1000)
    quota.hold("a", 600)
    quota.hold("b", 300)
    quota.add("c", 5000)
    assert (quota.total, quota.over, quota.tight) == (900, False, False)
    quota.add("b", 100)
    assert (quota.over, quota.tight) == (False, True)
    quota.add("b", 1)
    assert quota.over
    assert quota.heaviest(lambda _: True) == "a"
    assert quota.heaviest(lambda name: name != "a") == "b"
    quota.release("a")
    quota.release("a")
    quota.hold("b", 10)
    assert quota.total == 10
    quota.release("b")
    assert (quota.total, quota.heaviest(lambda _: True)) == (0, None)

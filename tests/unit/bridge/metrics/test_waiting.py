"""How long the oldest row of the outbox has waited."""

from __future__ import annotations

from bridge.metrics import waiting
from bridge.metrics.waiting import OldestWait


def test_a_row_waits_since_the_first_look_that_could_have_seen_it():
    oldest = OldestWait()
    assert oldest.age_s(first=None, highest=0, now_s=0) == 0
    assert oldest.age_s(first=5, highest=5, now_s=10) == 0
    assert oldest.age_s(first=5, highest=9, now_s=20) == 10, "row 5 is the oldest still"
    assert oldest.age_s(first=7, highest=9, now_s=30) == 10, "row 7 was there at 20"
    assert oldest.age_s(first=12, highest=12, now_s=40) == 0
    assert oldest.age_s(first=12, highest=12, now_s=45) == 5
    assert oldest.age_s(first=None, highest=12, now_s=50) == 0
    assert oldest.age_s(first=13, highest=13, now_s=60) == 0


def test_rows_that_another_process_left_wait_since_the_first_look():
    oldest = OldestWait()
    assert oldest.age_s(first=3, highest=90, now_s=1000) == 0
    assert oldest.age_s(first=3, highest=90, now_s=1060) == 60


def test_a_clock_that_is_asked_twice_at_once_gives_no_negative_age():
    oldest = OldestWait()
    oldest.age_s(first=1, highest=1, now_s=10)
    assert oldest.age_s(first=1, highest=1, now_s=10) == 0


def test_a_long_outage_fills_no_memory_and_the_age_stays_right(monkeypatch):
    monkeypatch.setattr(waiting, "REMEMBERED", 10)
    oldest = OldestWait()
    for second in range(1000):
        assert oldest.age_s(first=1, highest=second + 1, now_s=second) == second
        assert len(oldest._marks) <= 10
    age_s = oldest.age_s(first=900, highest=1000, now_s=1000)
    assert 0 <= age_s <= 1000

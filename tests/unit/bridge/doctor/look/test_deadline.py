"""What hangs is given up, what fails fails here."""

from __future__ import annotations

import threading

import pytest

from bridge.doctor.look.deadline import OutOfTimeError, TimeLeft, within


def test_a_result_and_an_error_come_through():
    assert within(10, lambda: 7, name="seven") == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0, name="nothing")


def test_what_hangs_is_given_up():
    gate = threading.Event()
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        within(0.01, gate.wait, name="hangs")
    gate.set()


def test_patience_gives_each_thing_its_time_until_all_of_it_is_over():
    now = [100.0]
    patience = TimeLeft(110.0, lambda: now[0])
    assert patience.share_s(3) == 3
    now[0] = 109.0
    assert patience.share_s(3) == 1
    now[0] = 110.0
    for ask in (lambda: patience.share_s(3), patience.check):
        with pytest.raises(OutOfTimeError, match="no time was left"):
            ask()

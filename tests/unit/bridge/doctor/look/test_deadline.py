"""What hangs is given up, what fails fails here."""

from __future__ import annotations

import threading

import pytest

from bridge.doctor.look.deadline import within


def test_a_result_and_an_error_come_through():
    assert within(10, lambda: 7, name="seven") == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0, name="nothing")


def test_what_hangs_is_given_up():
    gate = threading.Event()
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        within(0.01, gate.wait, name="hangs")
    gate.set()

"""Becoming another program of ours, where this user may."""

from __future__ import annotations

import sys

import pytest

from bridge.cli import edge, processes


def test_a_program_that_this_user_may_not_start_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(processes.NotStartedError) as caught:
        processes.become("broker", "--config", "x")
    assert edge.told(caught.value) == (
        f"{tmp_path / 'python'}: No such file or directory; install Postbell where this user may read it",
        1,
    )

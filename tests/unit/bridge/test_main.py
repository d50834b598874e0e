"""The program itself, where its own files cannot be read."""

from __future__ import annotations

import sys

import pytest

from bridge import __main__ as program


def test_an_installation_that_this_user_may_not_read_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "bridge.cli.main", None)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert str(caught.value).startswith("postbell: its own files cannot be read: ")
    assert f"make {sys.prefix} readable for this user" in str(caught.value)

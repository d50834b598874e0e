"""The broker's run file: whose the directory is, and who may not use it."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace

import pytest

from broker.errors import ConfigurationError
from broker.runfile import RunFile


def claimed(tmp_path):
    asyncio.run(RunFile(tmp_path / "state" / "run" / "broker.json").claim())


@pytest.mark.parametrize(("uid", "name"), [(65_534, "nobody"), (4_711_000, "the user with the number 4711000")])
def test_root_leaves_nothing_in_what_belongs_to_another(tmp_path, monkeypatch, uid, name):
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("pathlib.Path.stat", lambda _path, **_options: SimpleNamespace(st_uid=uid, st_mode=0o40_755))
    with pytest.raises(ConfigurationError, match=f"this belongs to {name}, who could not write"):
        claimed(tmp_path)
    monkeypatch.undo()
    assert not (tmp_path / "state" / "run" / "broker.lock").exists()


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigurationError, match=r"state_dir = '.*state': .*; make it a directory that this user may"):
        claimed(tmp_path)

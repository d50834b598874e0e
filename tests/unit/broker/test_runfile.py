"""The run file says where the broker is, and what came of its last reload; who may not use its directory is told."""

from __future__ import annotations

import asyncio
import json
import os
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from broker.errors import ConfigurationError
from broker.runfile import RunFile


def test_what_came_of_a_reload_stands_beside_where_it_listens(tmp_path):
    path = tmp_path / "broker.json"
    file = RunFile(path)
    file.write({"mqtt": "127.0.0.1:1883"})
    file.tell_reload({"number": 1, "changed": ["limits.queue"]})
    told = json.loads(path.read_text())
    assert (told["mqtt"], told["reload"]) == ("127.0.0.1:1883", {"number": 1, "changed": ["limits.queue"]})
    assert RunFile(path).ports() == {"mqtt": 1883}


def test_a_disk_that_takes_no_more_is_told_and_no_reason_to_end(tmp_path):
    (tmp_path / "run").mkdir()
    file = RunFile(tmp_path / "run" / "broker.json")
    file.write({})
    (tmp_path / "run" / "broker.json").unlink()
    (tmp_path / "run").rmdir()
    with capture_logs() as logs:
        file.tell_reload({"number": 1})
    assert [each["event"] for each in logs] == ["run_file_not_written"]


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

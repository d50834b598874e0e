"""The run file says where the broker is, and what came of its last reload."""

from __future__ import annotations

import json

from structlog.testing import capture_logs

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

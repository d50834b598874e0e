"""A broker is asked to reload by a signal, and answers in its run file; or it does not."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from bridge.daemon import brokers_reload, runfile
from bridge.daemon.brokers_reload import reload_broker

FAILED = {"changed": [], "needs_restart": []}


@pytest.fixture
def somebody():
    """A process that does not know what the signal is for."""
    ignoring = ["sh", "-c", "trap '' HUP; echo; exec sleep 60"]
    with subprocess.Popen(ignoring, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def reloaded(run_dir, facts, monkeypatch):
    monkeypatch.setattr(brokers_reload, "ANSWER_DEADLINE_S", 0.1)
    with runfile.only_one(run_dir, runfile.BROKER):
        runfile.write(run_dir, runfile.BROKER, facts)
        return asyncio.run(reload_broker(run_dir))


def test_there_is_none(tmp_path):
    assert asyncio.run(reload_broker(tmp_path / "run")) is None


def test_it_does_not_answer(tmp_path, monkeypatch, somebody):
    said = reloaded(tmp_path / "run", {"pid": somebody.pid, "reload": {"number": 3}}, monkeypatch)
    assert said == FAILED | {"problems": ["the broker does not answer: timed out"]}


def test_nobody_knows_its_number(tmp_path, monkeypatch):
    said = reloaded(tmp_path / "run", {}, monkeypatch)
    assert said == FAILED | {"problems": ["the broker does not answer: 'pid'"]}

"""The broker's process as the bridge keeps it: started again, refused its configuration, ended whatever it does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time

import pytest
from structlog.testing import capture_logs

from bridge.daemon import child as child_module
from bridge.daemon.child import BrokerChild
from bridge.errors import ConfigurationError
from bridge.publish.backoff import Backoff
from tests.support.waiting import until_on_loop


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "postbell.toml"
    path.write_text(f"state_dir = {json.dumps(str(tmp_path))}\n[broker]\nlisten = '127.0.0.1:0'\n")
    return path


def child(config):
    return BrokerChild(config=config, backoff=Backoff(), jitter=lambda: 0.0, monotonic=time.monotonic)


def pids(logs):
    return [entry["pid"] for entry in logs if entry["event"] == "broker_started"]


def alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def ended(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_broker_that_dies_is_started_again_and_ends_with_the_bridge(config):
    async def story():
        with capture_logs() as logs:
            running = asyncio.create_task(child(config).run())
            await until_on_loop(lambda: pids(logs), what="the broker to start")
            os.kill(pids(logs)[0], signal.SIGKILL)
            await until_on_loop(lambda: len(pids(logs)) == 2, what="another broker")
            await ended(running)
        assert [entry["code"] for entry in logs if entry["event"] == "broker_died"] == [-signal.SIGKILL]
        assert not any(map(alive, pids(logs)))

    asyncio.run(story())


def test_a_broker_that_does_not_end_is_killed(config, monkeypatch):
    monkeypatch.setattr(child_module, "STOP_S", 0.1)

    async def story():
        with capture_logs() as logs:
            running = asyncio.create_task(child(config).run())
            await until_on_loop(lambda: pids(logs), what="the broker to start")
            os.kill(pids(logs)[0], signal.SIGSTOP)
            await ended(running)
        assert not alive(pids(logs)[0])

    asyncio.run(story())


def test_a_configuration_that_the_broker_refuses_ends_it_all(config):
    config.write_text(config.read_text() + "tls_listen = '127.0.0.1:0'\n")
    with pytest.raises(ConfigurationError, match="the broker refused its configuration"):
        asyncio.run(child(config).run())


def test_a_program_that_cannot_be_started_is_told_with_what_to_do(config, monkeypatch, tmp_path):
    """As in an environment that only its maker may read: to try again would not help."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(ConfigurationError, match=r"the broker cannot be started: .*python: No such file .*; install"):
        asyncio.run(child(config).run())

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from broker.notify import PINGS, Supervisor
from tests.support.supervisor import Manager
from tests.support.waiting import until_on_loop


def test_a_supervisor_is_told_and_no_child_hears_of_it(tmp_path):
    with Manager(tmp_path) as listening:
        environment = {"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "7", "HOME": "/"}
        supervisor = Supervisor(environment, pid=7)
        assert environment == {"HOME": "/"}
        supervisor.tell("READY=1")
        assert listening.waiting() == ["READY=1"]


def test_its_socket_may_have_a_name_without_a_file(tmp_path):
    with Manager(tmp_path, abstract=f"postbell-broker-{time.monotonic_ns()}") as listening:
        Supervisor({"NOTIFY_SOCKET": listening.address}, pid=7).tell("READY=1")
        assert listening.waiting() == ["READY=1"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "vsock:2:9"}])
def test_nothing_is_told_where_nobody_asks(environment):
    with capture_logs() as logs:
        Supervisor(environment, pid=7).tell("READY=1")
    assert logs == []


def test_a_supervisor_that_has_gone_is_no_reason_to_end(tmp_path):
    with capture_logs() as logs:
        Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}, pid=7).tell("READY=1")
    assert [(line["event"], line["told"]) for line in logs] == [("supervisor_not_told", "READY=1")]


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"}])
def test_without_a_watchdog_nobody_pings(tmp_path, watchdog):
    with Manager(tmp_path) as listening:
        supervisor = Supervisor({"NOTIFY_SOCKET": listening.address, **watchdog}, pid=7)
        asyncio.run(asyncio.wait_for(supervisor.watch(), 30))
        assert listening.waiting() == []


def test_a_loop_that_turns_pings_and_one_that_hangs_does_not(tmp_path):
    limit_s = 0.06

    async def story(listening):
        supervisor = Supervisor({"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": str(int(limit_s * 1e6))}, pid=7)
        watching = asyncio.create_task(supervisor.watch())
        await until_on_loop(lambda: (listening.waiting(), listening.told.count("WATCHDOG=1") > PINGS)[1], what="pings")
        assert listening.waiting(within_s=2 * limit_s) == [], "pinged while the loop was held"
        watching.cancel()

    with Manager(tmp_path) as listening:
        asyncio.run(story(listening))

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from bridge.daemon.notify import PINGS, Supervisor
from tests.support.supervisor import Manager
from tests.support.waiting import until_on_loop


def monotonic():
    return 12.5


@pytest.fixture
def manager(tmp_path):
    with Manager(tmp_path) as made:
        yield made


def supervised(manager, **environment):
    return Supervisor.of({"NOTIFY_SOCKET": manager.address, **environment}, pid=7, monotonic=monotonic)


def test_a_life_is_told_in_the_words_of_sd_notify(manager):
    supervisor = supervised(manager)
    supervisor.status("takes mail")
    supervisor.ready()
    with supervisor.reloading():
        assert manager.waiting() == ["STATUS=takes mail", "READY=1", "RELOADING=1", "MONOTONIC_USEC=12500000"]
    supervisor.stopping()
    assert manager.waiting() == ["READY=1", "STOPPING=1", "STATUS=finishing what is under way"]


@pytest.mark.parametrize("met", [True, False], ids=["with the broker", "without"])
def test_it_is_ready_with_the_broker_and_without_it_after_a_while(manager, met):
    async def story():
        broker_met = asyncio.Event()
        announcing = asyncio.create_task(supervised(manager).announce(broker_met, within_s=60 if met else 0.01))
        await asyncio.sleep(0)
        assert manager.waiting() == []
        if met:
            broker_met.set()
        await asyncio.wait_for(announcing, 30)

    asyncio.run(story())
    assert manager.waiting() == ["READY=1"]


def test_a_reload_that_fails_is_over_as_well(manager):
    supervisor = supervised(manager)
    with pytest.raises(RuntimeError), supervisor.reloading():
        raise RuntimeError
    assert manager.waiting()[-1] == "READY=1"


def test_a_status_is_told_once(manager):
    supervisor = supervised(manager)
    for text in ("waits", "waits", "goes on", "waits"):
        supervisor.status(text)
    assert manager.waiting() == ["STATUS=waits", "STATUS=goes on", "STATUS=waits"]


def test_the_socket_may_have_a_name_without_a_file(tmp_path):
    with Manager(tmp_path, abstract=f"postbell-test-{time.monotonic_ns()}") as manager:
        supervised(manager).ready()
        assert manager.waiting() == ["READY=1"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:9"}])
def test_nothing_is_told_where_nobody_asks(environment):
    with capture_logs() as logs:
        supervisor = Supervisor.of({**environment, "WATCHDOG_USEC": "1000"}, pid=7, monotonic=monotonic)
        supervisor.ready()
        asyncio.run(asyncio.wait_for(supervisor.watch(), 30))
    assert logs == []


def test_a_manager_that_has_gone_is_no_reason_to_end(tmp_path):
    supervisor = Supervisor(str(tmp_path / "gone"), monotonic=monotonic)
    with capture_logs() as logs:
        supervisor.ready()
    assert [(line["event"], line["told"]) for line in logs] == [("supervisor_not_told", "READY=1")]
    assert "No such file" in logs[0]["reason"]


def test_what_was_said_is_taken_out_of_the_environment_of_children():
    environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "7", "HOME": "/"}
    Supervisor.of(environment, pid=7, monotonic=monotonic)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "8"},
    ],
    ids=["none", "off", "nonsense", "of another process"],
)
def test_without_a_watchdog_nobody_pings(manager, watchdog):
    asyncio.run(asyncio.wait_for(supervised(manager, **watchdog).watch(), 30))
    assert manager.waiting() == []


@pytest.mark.parametrize("watchdog_pid", [{}, {"WATCHDOG_PID": "7"}])
def test_a_loop_that_turns_pings_and_one_that_hangs_does_not(manager, watchdog_pid):
    limit_s = 0.06
    supervisor = supervised(manager, WATCHDOG_USEC=str(int(limit_s * 1e6)), **watchdog_pid)

    async def story():
        watching = asyncio.create_task(supervisor.watch())
        await until_on_loop(lambda: (manager.waiting(), manager.told.count("WATCHDOG=1") > PINGS)[1], what="pings")
        assert manager.waiting(within_s=2 * limit_s) == [], "pinged while the loop was held"
        watching.cancel()

    asyncio.run(story())


@pytest.mark.parametrize("turns", range(4))
def test_a_cancellation_at_the_moment_of_the_meeting_is_not_swallowed(manager, turns):
    async def scene():
        broker_met = asyncio.Event()
        announcing = asyncio.create_task(supervised(manager).announce(broker_met))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        broker_met.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        if announcing.cancel():
            with pytest.raises(asyncio.CancelledError):
                await announcing

    asyncio.run(scene())

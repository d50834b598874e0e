from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from bridge.ingress.deadline import Deadline
from bridge.ingress.limits import Gate, SessionLimits
from bridge.ingress.replies import TOO_MANY_CONNECTIONS, TOO_MANY_FROM_ADDRESS
from bridge.ingress.trust import Trust


def test_the_gate_counts_together_and_by_address():
    gate = Gate(SessionLimits(connections=3, connections_per_address=2))
    assert gate.enter("192.0.2.1") is None
    assert gate.enter("192.0.2.1") is None
    assert gate.enter("192.0.2.1") == TOO_MANY_FROM_ADDRESS
    assert gate.enter("192.0.2.2") is None
    assert gate.enter("192.0.2.3") == TOO_MANY_CONNECTIONS
    gate.leave("192.0.2.1")
    assert gate.enter("192.0.2.1") is None
    assert gate.open == 3


def test_unix_peers_have_no_address_of_their_own():
    gate = Gate(SessionLimits(connections=3, connections_per_address=1))
    assert [gate.enter("") for _ in range(4)] == [None, None, None, TOO_MANY_CONNECTIONS]
    gate.leave("")
    assert gate.open == 2


def test_the_gate_forgets_who_has_left():
    gate = Gate(SessionLimits())
    for number in range(100):
        gate.enter(f"192.0.2.{number}")
        gate.leave(f"192.0.2.{number}")
    assert (gate.open, len(gate._by_address)) == (0, 0)


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("127.0.0.1", True),
        ("127.255.1.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        ("10.1.2.3", True),
        ("fe80::1%eth0", True),
        ("10.2.0.1", False),
        ("::ffff:192.0.2.1", False),
        ("nonsense", False),
    ],
)
def test_trust_in_networks(address, admitted):
    trust = Trust(tuple(map(ip_network, ["127.0.0.0/8", "::1/128", "10.1.0.0/16", "fe80::/10"])))
    assert trust.admits(address) is admitted


def test_nobody_is_a_proxy_unless_listed():
    assert not Trust().is_proxy("127.0.0.1")
    trust = Trust(proxies=(ip_network("192.0.2.1"),))
    assert trust.is_proxy("192.0.2.1")
    assert not trust.is_proxy("192.0.2.2")
    assert not trust.is_proxy("")


def timed(story):
    async def run():
        expired = asyncio.Event()
        await asyncio.wait_for(story(asyncio.get_running_loop(), expired), 30)

    asyncio.run(run())


def test_a_deadline_that_is_moved_on_expires_once_at_its_last_time():
    async def story(loop, expired):
        times = []

        def expire():
            times.append(loop.time())
            expired.set()

        deadline = Deadline(loop, expire)
        start = loop.time()
        for step in range(20):
            deadline.set(start + 0.01 * step)
        await expired.wait()
        assert len(times) == 1
        assert times[0] >= start + 0.19

    timed(story)


def test_a_deadline_may_be_brought_forward():
    async def story(loop, expired):
        deadline = Deadline(loop, expired.set)
        deadline.set(loop.time() + 3600)
        deadline.set(loop.time() + 0.01)
        await expired.wait()

    timed(story)


def test_a_lifted_or_cancelled_deadline_never_expires():
    async def story(loop, expired):
        other = asyncio.Event()
        lifted, cancelled, last = (Deadline(loop, expired.set), Deadline(loop, expired.set), Deadline(loop, other.set))
        lifted.set(loop.time() + 0.01)
        lifted.lift()
        cancelled.set(loop.time() + 0.01)
        cancelled.cancel()
        last.set(loop.time() + 0.05)
        await other.wait()
        assert not expired.is_set()

    timed(story)

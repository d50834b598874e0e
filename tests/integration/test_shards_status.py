"""`postbell status` where several bridges share a database: who is there, and who publishes for how many shards."""

from __future__ import annotations

import json
import signal

import pytest

from tests.integration.test_shards_bridges import broker, nodes  # noqa: F401 - fixtures
from tests.support.shared_store import SharedStore
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


def told(node):
    return json.loads(node.run("status", "--json", check=False).stdout)


def test_status_tells_of_all_bridges_and_of_shards_that_nobody_has(postgres, nodes):  # noqa: F811
    a, b = nodes
    found = told(a)
    assert found["ok"], found
    assert [each["node"] for each in found["nodes"]] == ["a", "b"]
    assert [each["shards"] for each in found["nodes"]] == [32, 32]
    lines = a.run("status").stdout.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines if line.startswith("node")] == [
        "publishes for 32 of 64 shards"
    ] * 2
    b.send_signal(signal.SIGTERM)
    SharedStore(postgres).spread("a")
    assert [(each["node"], each["shards"]) for each in told(a)["nodes"]] == [("a", 64)]
    a.send_signal(signal.SIGKILL)
    until(lambda: told(b)["unowned"] == 64, what="the leases to have ended")
    found = told(b)
    assert "shards" in found["down"]
    said = b.run("status", check=False).stdout
    assert "nobody publishes for 64 of 64" in said
    assert "silent for" in said

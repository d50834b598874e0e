"""`postbell push renew`: another key, and devices that have to say again where they are rung."""

from __future__ import annotations

import pytest

from bridge.kept import PushState
from bridge.model import Subscription
from bridge.store import offline, pairing, subscriptions
from tests.support.stored import COUNT, DAYS, NOON_MS

PHONE = Subscription("https://push.example.net/phone", "push.example.net", b"p" * 65, b"a" * 16)


@pytest.fixture
def database_file(tmp_path, typed):
    assert typed("user", "add", "alice", "--address", "alice@example.org")[0] == 0
    return tmp_path / "state" / "postbell.db"


def test_the_key_is_another_each_time(typed, database_file):
    keys = set()
    for _ in range(2):
        assert typed("push", "renew")[:2] == (0, "push has another key, from the next ring on\n")
        with offline.reading(database_file) as connection:
            keys.add(subscriptions.read_key(connection))
    assert [len(key or b"") for key in keys] == [32, 32]


def test_devices_that_were_rung_are_counted_once_and_forgotten(typed, database_file):
    with offline.transaction(database_file, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        pairing.add_device(transaction, "alice", "phone")
        assert subscriptions.put(transaction, 1, "phone", PHONE) == "alice"
    code, out, _ = typed("push", "renew")
    assert (code, out.splitlines()[1:]) == (
        0,
        ["1 devices are rung again when their page or app has been opened once"],
    )
    with offline.reading(database_file) as connection:
        standing = subscriptions.standing(connection, 1, "phone")
    assert standing is not None
    assert (standing.state, standing.trouble) == (PushState.FORGOTTEN, "postbell push renew")
    assert standing.subscription == Subscription("", PHONE.host, b"", b"")
    assert len(typed("push", "renew")[1].splitlines()) == 1, "nobody is rung, so nobody is forgotten"

from __future__ import annotations

import contextlib

import pytest

from bridge.store.queues import DeliveryState, deliveries, matches
from broker import sessionfile

TOPIC = "mail/alice/msg/0198hp300"
NOW_MS = 1_000_500


@pytest.mark.parametrize("topic_filter", [TOPIC, "mail/alice/msg/+", "mail/alice/#", "mail/+/msg/+", "#", f"{TOPIC}/#"])
def test_a_filter_that_fits(topic_filter):
    assert matches(topic_filter, TOPIC)


@pytest.mark.parametrize("topic_filter", ["mail/alice/box", "mail/alice/+", "mail/bob/#", f"{TOPIC}/+", "mail", "+"])
def test_a_filter_that_does_not(topic_filter):
    assert not matches(topic_filter, TOPIC)


def test_how_far_a_topic_has_come_to_each_device(tmp_path):
    path = tmp_path / "sessions.db"
    names = ["all", "waits", "cleared", "other", "none"]
    assert set(deliveries(path, TOPIC, names, now_ms=NOW_MS).values()) == {DeliveryState.NO_SESSION}
    database = sessionfile.open_file(path)
    for name in names[:-1]:
        database.execute("INSERT INTO session VALUES (?, x'', 0, 60)", (name,))
        database.execute(
            "INSERT INTO filter VALUES (?, ?, 1, 0)", (name, "mail/alice/msg/+" if name != "other" else "x")
        )
    queued = [("all", 1, "mail/alice/box", b"x"), ("waits", 1, TOPIC, b"x"), ("cleared", 1, TOPIC, b"x")]
    database.executemany(
        "INSERT INTO queued (username, seq, topic, payload) VALUES (?, ?, ?, ?)", [*queued, ("cleared", 2, TOPIC, b"")]
    )
    database.commit()
    wanted = dict(zip(names, ["acknowledged", "waiting", "clearing", "unsubscribed", "no_session"], strict=True))
    assert deliveries(path, TOPIC, names, now_ms=NOW_MS) == wanted
    database.close()
    assert deliveries(path, TOPIC, names, now_ms=NOW_MS) == wanted
    path.write_bytes(b"no database at all" * 100)
    assert deliveries(path, TOPIC, ["all"], now_ms=NOW_MS) == {"all": DeliveryState.UNKNOWN}


def test_what_waited_too_long_waits_no_more_and_was_not_had(tmp_path):
    path = tmp_path / "sessions.db"
    with contextlib.closing(sessionfile.open_file(path)) as database:
        for name, expires in (("late", 1000.5), ("in time", 1000.6), ("never", 0.0)):
            database.execute("INSERT INTO session VALUES (?, x'', 0, 60)", (name,))
            database.execute("INSERT INTO filter VALUES (?, '#', 1, 0)", (name,))
            row = (name, 1, TOPIC, b"x", expires)
            database.execute("INSERT INTO queued (username, seq, topic, payload, expires) VALUES (?, ?, ?, ?, ?)", row)
        states = deliveries(path, TOPIC, ["late", "in time", "never"], now_ms=NOW_MS)
    assert states == {"late": "expired", "in time": "waiting", "never": "waiting"}

"""What is true at the end of a run: the store, read without touching it, against the broker's retained set."""

from __future__ import annotations

import json
import threading
import zlib
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.contract import ids
from bridge.store import notifications, offline
from tests.crash.history import Live, Wrong
from tests.crash.site import OBSERVER

if TYPE_CHECKING:
    from tests.crash.site import Site


@dataclass(frozen=True, slots=True)
class Stored:
    """One user's messages: headers by id, which are live, how many nobody has seen."""

    headers: dict[str, bytes]
    live: tuple[str, ...]
    unseen: int

    def of(self, user: str) -> Live:
        return Live(user, tuple(self.headers), self.live)


def read_store(database: Path | str) -> tuple[dict[str, Stored], int]:
    """What the store has for each user, and how many rows wait in its outbox; raises StoreUnavailableError."""
    with offline.reading(database) as connection:
        connection.execute(f"BEGIN{'' if isinstance(database, Path) else ' ISOLATION LEVEL REPEATABLE READ'}")
        waiting = connection.execute(
            "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM message WHERE waits <> 0)"
        ).fetchone()[0]
        stored = {}
        for user_id, name in connection.execute('SELECT user_id, name FROM "user"').fetchall():
            rows = connection.execute(
                "SELECT number, header, live, seen FROM message WHERE user_id = ? ORDER BY number", (user_id,)
            ).fetchall()
            stored[name] = Stored(
                headers={ids.encode(row[0]): row[1] for row in rows},
                live=tuple(ids.encode(row[0]) for row in rows if row[2]),
                unseen=sum(not row[3] for row in rows),
            )
        connection.execute("ROLLBACK")
        return stored, waiting


def read_rings(database: Path | str) -> int:
    """How many notifications wait for a push service to take them."""
    with offline.reading(database) as connection:
        return notifications.backlog(connection).waiting


def differences(stored: dict[str, Stored], retained: dict[str, bytes]) -> list[Wrong]:
    """Every retained topic that is not what it should be; topics below the root `mail`."""
    wrong: list[Wrong] = []
    expected: dict[str, bytes] = {}
    for user, mine in stored.items():
        expected |= {f"mail/{user}/msg/{each}": mine.headers[each] for each in mine.live}
        expected[f"mail/{user}/box"] = digest(mine.live)
        expected[f"mail/{user}/unread"] = str(mine.unseen).encode()
        wrong += _newest(user, mine, retained)
    views = {f"mail/{user}/{view}" for user in stored for view in ("last", "text")}
    for topic in sorted(expected.keys() | retained.keys() - views):
        if expected.get(topic) != retained.get(topic):
            how = "missing" if topic not in retained else "too much" if topic not in expected else "different"
            wrong.append(Wrong(topic, how))
    return wrong


def digest(live: tuple[str, ...]) -> bytes:
    """The box digest by the letter of docs/protocol.md."""
    if not live:
        return msgpack.packb([1])
    check = reduce(lambda value, each: value ^ zlib.crc32(each.encode()), live, 0)
    return msgpack.packb([1, len(live), check, max(live)])


def _newest(user: str, mine: Stored, retained: dict[str, bytes]) -> list[Wrong]:
    """`last` and `text` are about the newest live message, and absent without one."""
    last, text = retained.get(f"mail/{user}/last"), retained.get(f"mail/{user}/text")
    if not mine.live:
        return [Wrong(f"mail/{user}/last", "too much")] if last or text else []
    subject = msgpack.unpackb(mine.headers[max(mine.live)])[4]
    if last is None or json.loads(last)["id"] != max(mine.live):
        return [Wrong(f"mail/{user}/last", "different")]
    if text is None or subject not in text.decode():
        return [Wrong(f"mail/{user}/text", "different")]
    return []


class Observer:
    """Sees the whole retained set with the login of an administrator, and keeps it up to date."""

    def __init__(self, site: Site, *, address: tuple[str, int]) -> None:
        self._lock = threading.Lock()
        self._retained: dict[str, bytes] = {}
        self.complete = threading.Event()
        """The retained status of the bridge came, which was asked for behind everything else."""
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=OBSERVER, clean_session=True)
        self._client.username_pw_set(OBSERVER, site.passwords[OBSERVER])
        self._client.on_connect = self._connected
        self._client.on_message = self._received
        self._client.connect_async(*address, keepalive=10)
        self._client.loop_start()

    def retained(self) -> dict[str, bytes]:
        """What is retained below the root, as last heard."""
        with self._lock:
            return dict(self._retained)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if not code.is_failure:
            with self._lock:
                self._retained.clear()
            client.subscribe("mail/#", 1)
            client.subscribe("mail-bridge/+/status", 1)

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.topic.startswith("mail-bridge/"):
            if message.retain:
                self.complete.set()
            return
        leaf = message.topic.rpartition("/")[2]
        if leaf == "event" or "/do/" in message.topic or "/re/" in message.topic:
            return
        with self._lock:
            if message.payload:
                self._retained[message.topic] = bytes(message.payload)
            else:
                self._retained.pop(message.topic, None)

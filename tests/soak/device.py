"""A device by the protocol's letter: keeps its session, comes and goes, and remembers what it was shown."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgpack
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from collections.abc import Callable


class Device:
    """One login, with a persistent session. `port` says where the broker is now."""

    def __init__(self, user: str, name: str, password: str, *, port: Callable[[], int]) -> None:
        self.user, self.name, self.password = user, name, password
        self.shown: dict[str, set[str]] = defaultdict(set)
        """The ids under which each subject was shown."""
        self._port = port
        self._lock = threading.Lock()
        self._client: paho.Client | None = None
        self.connected = threading.Event()

    @property
    def username(self) -> str:
        return f"{self.user}.{self.name}"

    def come(self) -> None:
        """Connect, and stay connected until it goes."""
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.username,
            clean_session=False,
            reconnect_on_failure=True,
        )
        client.username_pw_set(self.username, self.password)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._connected
        client.on_disconnect = lambda *_: self.connected.clear()
        client.on_message = self._received
        self._client = client
        try:
            client.connect("127.0.0.1", self._port(), keepalive=20)
        except OSError:
            client.connect_async("127.0.0.1", self._port(), keepalive=20)
        client.loop_start()

    def go(self) -> None:
        """Disconnect; the broker keeps what comes meanwhile."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
            self.connected.clear()

    def subjects(self) -> set[str]:
        with self._lock:
            return set(self.shown)

    def twice(self) -> list[str]:
        """Subjects that were shown under more than one id."""
        with self._lock:
            return [subject for subject, ids in self.shown.items() if len(ids) > 1]

    def _connected(self, client: paho.Client, _data: Any, flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            return
        if not flags.session_present:
            client.subscribe([(f"mail/{self.user}/#", 1), ("mail-bridge/+/status", 1)])
        self.connected.set()

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        kind, _, mail_id = message.topic.removeprefix(f"mail/{self.user}/").partition("/")
        if kind == "msg" and message.payload:
            with self._lock:
                self.shown[msgpack.unpackb(message.payload)[4]].add(mail_id)

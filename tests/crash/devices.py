"""The two devices of each user: the reference client as a process, and a small MQTT client of our own."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import msgpack
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from clients.journal.snapshot import Snapshot
from tests.crash.history import Box, Gone, Overheard, SeenAsked, SeenDone, Shown
from tests.crash.messages import marker_in
from tests.crash.processes import ENTRY, Service
from tests.crash.truth import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.crash.history import History
    from tests.crash.site import Site

SNATCH = ("#", "mail/#", "mail/+/msg/+")
"""What a curious device asks for beyond its own."""

LIFE_S = 3600
"""How long the session of a device that speaks MQTT 5 outlives its connection."""


class Terminal:
    """`python -m clients watch --json`, its screen a regular file."""

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        url: Callable[[], str],
        history: History,
        points: Sequence[str],
        environment: Mapping[str, str],
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        username = name.replace("/", ".")
        self._history = history
        self._journal = site.directory / f"{username}.journal"
        self._screen = site.directory / f"{username}.screen"
        self._read = 0
        self._shown = 0

        def command() -> tuple[str, ...]:
            options = ("--json", "--gone", "--state", str(self._journal), "--url", url(), "--keepalive", "10")
            password = str(site.password_file(username))
            return (*prefix, *ENTRY, "clients", "watch", name, *options, "--password-file", password)

        self.service = Service(
            name,
            command,
            directory=site.directory,
            environment=environment,
            history=history,
            points=points,
            output=self._screen,
        )

    def look(self) -> int:
        """Take the lines that are new on the screen into the history; how many messages it showed so far."""
        if not self._screen.exists():
            return 0
        with self._screen.open("rb") as screen:
            screen.seek(self._read)
            fresh = screen.read()
        whole = fresh.rfind(b"\n") + 1
        self._read += whole
        for line in fresh[:whole].splitlines():
            self._take(line)
        return self._shown

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            self._history.add(Shown(self.name, "", line.decode("utf-8", "replace")))
            return
        if entry.get("gone"):
            self._history.add(Gone(self.name, entry["id"]))
        else:
            self._shown += 1
            self._history.add(Shown(self.name, marker_in(entry["subject"]), entry["id"]))

    def torn(self) -> bool:
        """Whether the screen ends in the middle of a line."""
        return self._screen.exists() and self._read < self._screen.stat().st_size

    def box(self) -> tuple[str, ...]:
        """The ids that its journal holds as live."""
        return tuple(sorted(self._snapshot().memory.live))

    def subscribed(self) -> bool:
        """Whether a broker has confirmed its subscription."""
        return bool(self._snapshot().subscription)

    def _snapshot(self) -> Snapshot:
        content = self._journal.read_bytes() if self._journal.exists() else b""
        return Snapshot.of(content[: content.rfind(b"\n") + 1].splitlines(keepends=True))

    def report(self) -> None:
        """Its last word for the history."""
        self.look()
        if self.torn():
            self._history.add(Shown(self.name, "", "half a line"))
        self._history.add(Box(self.name, self.box()))


class Phone:
    """A device by the protocol's letter and nothing of `clients/`: subscribes, shows each id once.

    It runs in a thread of the checker. Every `seen_every`th message that it shows it marks as seen,
    asking until the bridge has answered. It also asks for other people's topics, and notes what it gets.
    A `newer` one speaks MQTT 5, takes few messages at once, and has topics named by alias.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        address: tuple[str, int],
        history: History,
        seen_every: int,
        heals: bool,
        newer: bool,
    ) -> None:
        self.name = name
        self.user, _, device = name.partition("/")
        self._history = history
        self._lock = threading.Lock()
        self._address = address
        self._own = f"mail/{self.user}/"
        self._requests = f"mail/{self.user}/do/{device}"
        self._seen_every = seen_every
        self._heals = heals
        self._newer = newer
        self._aliases: dict[int, str] = {}
        self._subscribing: int | None = None
        self._subscribed = False
        self._digest = b""
        self._asked: dict[int, str] = {}
        self._shown: set[str] = set()
        self._live: set[str] = set()
        username = name.replace("/", ".")
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=username.replace(".", ":"),
            clean_session=None if newer else False,
            protocol=paho.MQTTv5 if newer else paho.MQTTv311,
            reconnect_on_failure=True,
        )
        self._client.username_pw_set(username, site.passwords[username])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._confirmed
        self._client.on_message = self._received

    def start(self) -> None:
        if self._newer:
            terms = Properties(PacketTypes.CONNECT)
            terms.SessionExpiryInterval, terms.ReceiveMaximum, terms.TopicAliasMaximum = LIFE_S, 7, 5
            self._client.connect_async(*self._address, keepalive=10, clean_start=False, properties=terms)
        else:
            self._client.connect_async(*self._address, keepalive=10)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def asking(self) -> int:
        """Requests without an answer."""
        with self._lock:
            return len(self._asked)

    def ask_again(self) -> None:
        """Repeat every request that has no answer: they are idempotent."""
        with self._lock:
            waiting = list(self._asked.items())
        for request_id, mail_id in waiting:
            self._client.publish(self._requests, msgpack.packb([1, request_id, "seen", mail_id]), qos=1)

    def box(self) -> tuple[str, ...]:
        """The ids that it holds as live."""
        with self._lock:
            return tuple(sorted(self._live))

    def tend(self) -> None:
        """Ask again what was not answered, and for the whole box if it is not what its digest says.

        Only on a broker that changes the order of messages: elsewhere a box that goes wrong is a finding.
        """
        self.ask_again()
        with self._lock:
            astray = self._heals and digest(tuple(self._live)) != self._digest
            if astray:
                self._live.clear()
        if astray:
            self._subscribe(f"{self._own}msg/+", f"{self._own}box")

    def report(self) -> None:
        """Its last word for the history."""
        self._history.add(Box(self.name, self.box()))

    def _connected(self, client: paho.Client, _data: Any, flags: Any, code: Any, _properties: Any) -> None:
        self._aliases.clear()
        if code.is_failure or (flags.session_present and self._subscribed):
            return
        self._subscribed = False
        with self._lock:
            self._live.clear()  # the retained set is about to be told anew
        for topic_filter in SNATCH:
            client.subscribe(topic_filter, 1)
        self._subscribing = self._subscribe(f"{self._own}#", "mail-bridge/+/status")

    def _subscribe(self, *filters: str) -> int | None:
        """Ask for filters; the id of the packet."""
        if self._newer:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            return self._client.subscribe([(each, options) for each in filters])[1]
        return self._client.subscribe([(each, 1) for each in filters])[1]

    def _confirmed(self, _client: paho.Client, _data: Any, mid: int, _codes: Any, _properties: Any) -> None:
        """The broker has our subscription: from now on `session present` says that it still has."""
        self._subscribed = self._subscribed or mid == self._subscribing

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        topic = self._named(message)
        with self._lock:
            if topic.startswith(self._own):
                self._take(topic.removeprefix(self._own), bytes(message.payload))
            elif not topic.startswith("mail-bridge/"):
                self._history.add(Overheard(self.name, topic))

    def _named(self, message: paho.MQTTMessage) -> str:
        """The topic of a message, also where an alias stands for it [MQTT-3.3.2-12]."""
        alias = getattr(message.properties, "TopicAlias", None)
        if alias is None:
            return message.topic
        if message.topic:
            self._aliases[alias] = message.topic
        return self._aliases.get(alias, f"an alias of nothing, {alias}")

    def _take(self, path: str, payload: bytes) -> None:
        kind, _, leaf = path.partition("/")
        if kind == "msg" and payload:
            self._live.add(leaf)
            self._show(leaf, payload)
        elif kind == "msg":
            self._live.discard(leaf)
        elif kind == "box":
            self._digest = payload
        elif kind == "re" and f"{self.user}/{leaf}" == self.name:
            self._answered(msgpack.unpackb(payload))
        elif kind == "re":
            self._history.add(Overheard(self.name, self._own + path))

    def _show(self, mail_id: str, payload: bytes) -> None:
        if mail_id in self._shown:
            return
        header = msgpack.unpackb(payload)
        self._shown.add(mail_id)
        self._history.add(Shown(self.name, marker_in(header[4]), mail_id))
        if self._seen_every and len(self._shown) % self._seen_every == 0:
            request_id = len(self._shown)
            self._asked[request_id] = mail_id
            self._history.add(SeenAsked(self.user, mail_id))
            self._client.publish(self._requests, msgpack.packb([1, request_id, "seen", mail_id]), qos=1)

    def _answered(self, reply: list[Any]) -> None:
        if reply[2] == 0 and reply[1] in self._asked:
            self._history.add(SeenDone(self.user, self._asked.pop(reply[1])))

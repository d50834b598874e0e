"""Rules from the command line to the device: through real SMTP, real processes, an independent subscriber."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from clients.contract.header import Header, decode_header
from tests.conftest import need
from tests.support.system import Subscriber, System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE = "alice@example.org"


class Alice:
    """A running system with alice, her rules, and all that her subscriber has received."""

    def __init__(self, system: System, subscriber: Subscriber) -> None:
        self.system, self.subscriber = system, subscriber

    def rule(self, *options: str) -> dict[str, Any]:
        """`postbell user rules alice …`."""
        rules: dict[str, Any] = json.loads(self.system.run("user", "rules", "alice", *options, "--json").stdout)
        return rules

    def hand_in(self, *fields: str, sender: str = "Bob <bob@example.net>", subject: str = "hello") -> str:
        """Hand in one mail; its id."""
        lines = (f"From: {sender}", f"Subject: {subject}", f"To: {ALICE}", *fields, "", f"This is {subject}.", "")
        return self.system.send("\n".join(lines).encode(), ALICE)

    def arrived(self, mail_id: str) -> Header:
        """The header of a mail on the device."""
        topic = f"mail/alice/msg/{mail_id}"
        return decode_header(self.heard(topic))

    def send(self, *fields: str, **what: str) -> Header:
        """Hand in one mail; the header that arrives."""
        return self.arrived(self.hand_in(*fields, **what))

    def heard(self, topic: str) -> bytes:
        """The newest payload of a topic, once there is one."""
        return until(lambda: self.last(topic) or b"", what=f"{topic} on the device")

    def last(self, topic: str) -> bytes | None:
        """The newest payload of a topic."""
        payloads = [payload for _, where, payload in self.subscriber.received() if where == topic]
        return payloads[-1] if payloads else None

    def events(self) -> list[dict[str, Any]]:
        """All events so far."""
        return [json.loads(payload) for _, topic, payload in self.subscriber.received() if topic == "mail/alice/event"]


@contextmanager
def alice(directory: Path, **settings: str) -> Iterator[Alice]:
    """A broker, a bridge, and mosquitto_sub on everything of alice's."""
    program = need("mosquitto_sub")
    with System(directory, **settings) as system:
        login = system.add("alice")
        system.serve()
        options = ["-c", "-i", "alice.phone", "-u", login["username"], "-P", login["password"]]
        output = directory / "phone.out"
        port = system.mqtt_port()
        with Subscriber(program, port=port, filters=["mail/alice/#"], output=output, options=options) as subscriber:
            until(output.read_text, what="the retained state")
            yield Alice(system, subscriber)


def test_rules_hold_on_a_running_system_from_the_next_mail_on(tmp_path: Path) -> None:
    with alice(tmp_path) as a:
        assert a.send().flag_names == []

        a.rule("--mute", "@example.net", "--mute", "weekly.news.example")
        assert a.send().flag_names == ["silent"]
        assert a.send("List-Id: News <weekly.news.example>", sender="n@news.example").flag_names == ["bulk", "silent"]
        assert a.send(sender="ann@example.com", subject="rings").flag_names == []

        a.rule("--vip", "bob@example.net")
        assert a.send().flag_names == []

        a.rule("--clear", "--quiet", "00:00-24:00", "--zone", "Europe/Berlin")
        assert a.send("Importance: high").flag_names == ["urgent", "silent"]
        a.rule("--remove-quiet", "00:00-24:00")
        assert a.send(subject="the last that rings").flag_names == []
        a.rule("--mute", "bob@example.net")
        silent = a.send(subject="silent")
        a.system.wait_drained()
        until(lambda: a.last("mail/alice/unread") == b"8", what="all of it to be unread")
        until(lambda: len(a.events()) == 8, what="an event for each")
        assert silent.flag_names == ["silent"]
        assert a.events()[-1]["flags"] == ["silent"]
        assert json.loads(a.last("mail/alice/last") or b"{}")["subject"] == "silent"
        text = until(lambda: a.last("mail/alice/text"), what="the line of text").decode()
        assert text.startswith("Bob: the last that rings")


def test_what_is_hidden_is_on_no_topic_but_the_sender_is(tmp_path: Path) -> None:
    with alice(tmp_path) as a:
        shown = {}
        for hide, word in (("nothing", "apple"), ("snippet", "banana"), ("subject", "cherry")):
            a.rule("--hide", hide)
            header = a.send(subject=word)
            assert (header.from_name, header.from_address) == ("Bob", "bob@example.net")
            shown[hide] = (header.subject, header.snippet)
        assert shown == {"nothing": ("apple", "This is apple."), "snippet": ("banana", ""), "subject": ("…", "")}
        a.system.wait_drained()
        until(lambda: len(a.events()) == 3 and a.last("mail/alice/text") == "Bob: …".encode(), what="the views")
        everything = b"".join(payload for _, _, payload in a.subscriber.received())
        assert b"This is apple" in everything
        assert b"banana" in everything
        assert b"This is banana" not in everything
        assert b"cherry" not in everything


def test_a_storm_is_one_notice_though_the_bridge_dies_meanwhile(tmp_path: Path) -> None:
    with alice(tmp_path) as a:
        a.rule("--rate", "2/8s", "--vip", "boss@example.org")
        burst = [a.hand_in() for _ in range(6)]
        flags = [a.arrived(mail_id).flag_names for mail_id in burst]
        assert flags == [[]] * 2 + [["silent"]] * 4
        assert a.send(sender="boss@example.org").flag_names == []
        a.system.wait_drained()
        until(lambda: [event["event"] for event in a.events()] == ["mail"] * 3, what="the events of what rang")

        bridge = a.system.processes[0]
        port = a.system.mqtt_port()
        a.system.stop(bridge, signal.SIGKILL)
        a.system.serve()
        assert a.system.mqtt_port() == port

        told = until(lambda: a.events()[3:], what="the notice of the storm")
        storm = {"event": "storm", "user": "alice", "from_name": "Bob", "from_address": "bob@example.net", "more": 4}
        assert told == [storm]
        a.send(subject="the next that rings")
        until(lambda: len(a.events()) == 5, what="the event of the next mail")
        assert a.events()[-1]["subject"] == "the next that rings"


def test_the_line_of_text_says_how_many_more(tmp_path: Path) -> None:
    with alice(tmp_path) as a:
        a.rule("--rate", "1/4s", "--hide", "snippet")
        burst = {a.hand_in() for _ in range(4)}
        text = "Bob: hello (3 more from Bob)"
        until(lambda: a.last("mail/alice/text") == text.encode(), what=text)
        assert a.events()[-1]["more"] == 3
        assert {mail_id for mail_id in burst if a.last(f"mail/alice/msg/{mail_id}")} == burst


@pytest.mark.parametrize(
    ("action", "flags"), [("mark", ["suspicious", "silent"]), ("deliver", ["suspicious"]), ("suppress", None)]
)
def test_spam_is_marked_delivered_or_suppressed(action: str, flags: list[str] | None, tmp_path: Path) -> None:
    settings = {"POSTBELL_SPAM__HEADERS": '["X-Spam-Flag"]', "POSTBELL_SPAM__ACTION": action}
    with alice(tmp_path, **settings) as a:
        a.rule("--vip", "carol@example.net")
        spam = f"From: bob@example.net\nTo: {ALICE}\nX-Spam-Flag: YES\nSubject: Win\n\nClick.\n".encode()
        mail_id = a.system.send(spam, ALICE)
        assert a.send("X-Other-Filter: YES", subject="ham").flag_names == []
        a.system.wait_drained()
        arrived = a.last(f"mail/alice/msg/{mail_id}")
        if flags is not None:
            assert arrived is not None
            assert decode_header(arrived).flag_names == flags
            return
        assert arrived is None
        until(lambda: a.last("mail/alice/unread") == b"1", what="the ham alone to be unread")
        assert [event["subject"] for event in a.events()] == ["ham"]

"""A mailbox at a real Dovecot beside a real Postbell: a mail client that others wrote, and a device, for tests."""

from __future__ import annotations

import imaplib
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.dovecot import PASSWORD
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.dovecot import Dovecot
    from tests.support.system import System

ALICE = "alice@example.org"


def letter(number: int, *, message_id: bool = True, size: int = 0) -> bytes:
    """A mail that is known by its number."""
    head = f"From: Bob <bob@example.net>\r\nTo: {ALICE}\r\nSubject: number {number}\r\n"
    head += f"Message-ID: <number-{number}@example.net>\r\n" if message_id else ""
    return f"{head}\r\nThis is number {number}.\r\n{'x' * size}\r\n".encode()


class MailClient:
    """Python's own imaplib, which shares no code with ours."""

    def __init__(self, server: Dovecot, folder: str = "INBOX", user: str = "alice") -> None:
        context = ssl.create_default_context(cafile=str(server.authority))
        self.imap = imaplib.IMAP4_SSL("localhost", server.imaps, ssl_context=context, timeout=60)
        self.imap.login(user, PASSWORD)
        self.open(folder)

    def open(self, folder: str) -> None:
        status, said = self.imap.select(folder)
        assert status == "OK", said

    def uid(self, number: int) -> str:
        """The UID of a mail; empty when it is not in this folder."""
        self.imap.noop()
        _, found = self.imap.uid("SEARCH", "HEADER", "Message-ID", f'"<number-{number}@example.net>"')
        return (found[0] or b"").decode()

    def mark(self, number: int, flag: str = r"(\Seen)", *, on: bool = True) -> None:
        status, said = self.imap.uid("STORE", self.uid(number), "+FLAGS" if on else "-FLAGS", flag)
        assert status == "OK", said

    def move(self, number: int, folder: str) -> None:
        status, said = self.imap.uid("MOVE", self.uid(number), folder)
        assert status == "OK", said

    def seen(self) -> dict[str, bool]:
        r"""Subjects of all mails in this folder, and whether each is \Seen."""
        self.imap.noop()
        _, found = self.imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return {
            each[1].decode().strip().removeprefix("Subject: "): rb"\Seen" in each[0]
            for each in found
            if isinstance(each, tuple)
        }

    def close(self) -> None:
        self.imap.shutdown()


class Phone:
    """A device: which mails it shows now, by their subjects, and what it says."""

    def __init__(self, system: System, login: dict[str, str]) -> None:
        self.ids: dict[str, bytes] = {}
        self.shown_ever: list[str] = []
        self.unread = b""
        self._mqtt = paho.Client(CallbackAPIVersion.VERSION2, client_id="alice.phone", protocol=paho.MQTTv5)
        self._mqtt.username_pw_set(login["username"], login["password"])
        self._mqtt.on_message = self._take
        self._mqtt.on_connect = lambda client, *_: client.subscribe("mail/alice/#", 1)
        self._mqtt.reconnect_delay_set(1, 1)
        self._mqtt.connect_async("127.0.0.1", system.mqtt_port())
        self._mqtt.loop_start()

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        kind, _, mail_id = message.topic.removeprefix("mail/alice/").partition("/")
        if kind == "unread":
            self.unread = bytes(message.payload)
        elif kind == "msg" and message.payload:
            if mail_id not in self.ids:
                self.shown_ever.append(mail_id)
            self.ids[mail_id] = bytes(message.payload)
        elif kind == "msg":
            self.ids.pop(mail_id, None)

    @property
    def shown(self) -> set[str]:
        """Subjects of what it shows."""
        from clients.contract.header import decode_header

        return {decode_header(payload).subject for payload in list(self.ids.values())}

    def say(self, words: str) -> None:
        """A request, in words."""
        self._mqtt.publish("mail/alice/do/phone", words.encode(), qos=1)

    def close(self) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()


def follow(system: System, server: Dovecot, *options: str, user: str = "alice") -> None:
    """Have the mailbox of a user at Dovecot followed, and wait until it is."""
    secret = system.directory / "imap.password"
    secret.write_text(PASSWORD + "\n")
    url = f"imaps://localhost:{server.imaps}"
    system.run("mailbox", "add", user, url, "--login", user, "--password-file", str(secret), *options)
    wait_followed(system)


def wait_followed(system: System) -> None:
    """Wait until every folder is followed."""
    import json

    def followed() -> bool:
        listed = json.loads(system.run("mailbox", "list", "--json").stdout)
        return bool(listed) and all(each["connected"] for each in listed)

    until(followed, what="the mailbox to be followed")


@contextmanager
def closing_all(*things: MailClient | Phone) -> Iterator[None]:
    """Close them behind the block."""
    try:
        yield
    finally:
        for each in things:
            each.close()

"""Dialogues of devices that other people's servers turned away, with a whole Postbell: the replies, and the mail."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.store import offline
from clients.contract.header import decode_header
from tests.support.certificates import self_signed
from tests.support.system import System
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALOGUES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "dialogues.json").read_text())


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[System, dict[str, str]]]:
    """A system with a certificate, alice and a sender; what stands for its login in the dialogues."""
    directory = tmp_path_factory.mktemp("dialogues")
    certificate, key = self_signed(directory)
    with System(directory, POSTBELL_SMTP__TLS_CERT=str(certificate), POSTBELL_SMTP__TLS_KEY=str(key)) as system:
        system.add("alice")
        login = json.loads(system.run("sender", "add", "office", "--json").stdout)
        name, password = login["username"].encode(), login["password"].encode()
        system.serve()
        words = {"u": name, "p": password, "up": b"\0" + name + b"\0" + password}
        yield system, {mark: base64.b64encode(word).decode() for mark, word in words.items()}


class Sender:
    """The device's end of the conversation."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE_S)
        self._replies = self._socket.makefile("rb")
        assert self.reply().startswith("220 ")

    def reply(self) -> str:
        """All lines of the next reply."""
        lines = [self._replies.readline().decode()]
        while lines[-1][3:4] == "-":
            lines.append(self._replies.readline().decode())
        return "".join(lines).replace("\r\n", "\n").rstrip("\n")

    def say(self, said: str) -> str:
        self._socket.sendall(said.encode())
        return self.reply()

    def encrypt(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket)
        self._replies = self._socket.makefile("rb")

    def close(self) -> None:
        self._replies.close()
        self._socket.close()


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue["name"])
def test_what_devices_say_is_answered_and_their_mail_arrives(served, dialogue):
    system, login = served
    sender = Sender(system.facts("bridge")["smtp"])
    for said, pattern in dialogue["steps"]:
        command = "STARTTLS" if said == "STARTTLS!" else re.sub(r"\{(u|p|up)\}", lambda mark: login[mark[1]], said)
        answer = sender.say(command + dialogue.get("eol", "\r\n"))
        assert re.search(pattern, answer, re.MULTILINE), (said, answer)
        if said == "STARTTLS!":
            sender.encrypt()
    sender.close()
    if "mail" in dialogue:
        with offline.reading(system.state_dir / "postbell.db") as connection:
            headers = [decode_header(header) for (header,) in connection.execute("SELECT header FROM message")]
        header = next(header for header in headers if header.subject == dialogue["mail"])
        for field, value in dialogue.get("header", {}).items():
            assert getattr(header, {"from_addr": "from_address"}.get(field, field)) == value

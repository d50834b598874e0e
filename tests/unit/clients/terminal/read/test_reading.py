"""What `read` prints of a list of parts, and how it asks through a watcher."""

from __future__ import annotations

import json
import socket
import sys

import msgpack
import pytest

from clients.errors import RequestError
from clients.terminal.output import Output
from clients.terminal.read.channels import GuestChannel
from clients.terminal.read.listing import print_parts
from clients.terminal.read.saving import understood

PARTS = msgpack.packb([[0, "text/plain", "", 12], [1, "image/png", "a\x1b[31m.png", 345678]])


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """What a list of parts looks like."""

    def show(*, as_json=False, terminal=False):
        path = tmp_path / "out"
        with path.open("wb") as out:
            monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
            print_parts(understood(PARTS), Output(out.fileno()), as_json=as_json)
        return path.read_text() + capsys.readouterr().out

    return show


def test_parts_are_lines_for_programs_json_on_demand_and_a_table_for_people(printed):
    assert printed().splitlines()[0] == "0\ttext/plain\t12\t"
    assert [json.loads(line)["size"] for line in printed(as_json=True).splitlines()] == [12, 345678]
    table = printed(terminal=True)
    assert "file name" in table
    assert "345,678" in table


def test_no_file_name_commands_the_terminal(printed):
    assert "\x1b[31m" not in printed()
    assert "\x1b[31m" not in printed(terminal=True)


def test_a_list_that_cannot_be_read_is_an_error():
    with pytest.raises(RequestError, match="cannot be read"):
        understood(b"\xc1")


def test_a_guest_gets_replies_and_is_told_when_the_watcher_ends(tmp_path):
    watcher, guest = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with watcher, guest:
        channel = GuestChannel(guest, state=tmp_path / "state")
        assert channel.step(0) == []
        channel.send(b"request")
        assert watcher.recv(100) == b"request"
        watcher.send(msgpack.packb([1, 7, 0, 0, 2, b"ab"]))
        assert [each.chunk for each in channel.step(10)] == [b"ab"]
        watcher.send(b"\xc1")
        assert channel.step(10) == []
        watcher.close()
        with pytest.raises(RequestError, match="has ended"):
            channel.step(10)
        with pytest.raises(RequestError, match="has ended"):
            channel.send(b"request")

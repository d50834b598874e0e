"""A watcher's connection, shared with other commands."""

from __future__ import annotations

import msgpack
import pytest

from clients.relay import GUESTS, Relay, join


def test_relay_carries_requests_and_replies_and_forgets_who_left(tmp_path):
    deep = tmp_path / ("long-name-" * 12)  # longer than a socket address may be
    deep.mkdir()
    path = deep / "state.sock"
    path.write_text("left over")
    with Relay(path) as relay:
        guest = join(path)
        request = msgpack.packb([1, 7, "parts", "00t64ks8n"])
        guest.send(request)
        assert relay.requests(relay.filenos()) == []
        assert relay.requests(relay.filenos()) == [request]
        assert relay.reply(7, b"reply")
        assert not relay.reply(8, b"reply")
        assert guest.recv(100) == b"reply"
        guest.send(b"\xc1 nonsense")
        assert relay.requests(relay.filenos()) == []
        guest.close()
        assert relay.requests(relay.filenos()) == []
        assert not relay.reply(7, b"reply")
        assert len(relay.filenos()) == 1
    assert not path.exists()
    with pytest.raises(OSError, match="No such file"):
        join(path)


def test_relay_has_a_bounded_number_of_seats(tmp_path):
    with Relay(tmp_path / "sock") as relay:
        guests = []
        for _ in range(GUESTS + 2):
            guests.append(join(tmp_path / "sock"))
            relay.requests(relay.filenos())
        assert len(relay.filenos()) == 1 + GUESTS
        assert guests[-1].recv(10) == b""
        for guest in guests:
            guest.close()

"""What keeps the broker from listening: what may pass, and what only a person can mend."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from broker import listeners
from broker.address import Address
from broker.errors import ConfigurationError


def refused(address, code, *, name="mqtt"):
    """What `bind` raises when the system refuses with this error."""
    listener = listeners.Listener(name, "broker.listen", Address.parse(address), websocket=False, tls=False)

    async def create(_port):
        await asyncio.sleep(0)
        raise code if isinstance(code, OSError) else OSError(code, "the library's words")

    with pytest.raises((listeners.UnavailableError, ConfigurationError)) as caught:
        asyncio.run(listeners.bind(listener, None, create))
    return caught.value


@pytest.mark.parametrize(
    ("code", "reason", "cure"),
    [
        (errno.EADDRINUSE, "another program listens there", "broker.embedded = false and mqtt.url"),
        (errno.EADDRNOTAVAIL, "this machine does not have that address now", "write one that it has"),
        (
            OSError("could not bind on any address"),
            "this machine does not have that address now",
            "write one that it has",
        ),
        (socket.gaierror(-2, "Name or service not known"), "no address is known for this name", "mend the name"),
        (errno.EMFILE, "Too many open files", "make room"),
    ],
)
def test_what_keeps_it_from_an_address_and_may_pass_is_told_with_a_cure(code, reason, cure):
    error = refused("127.0.0.1:1883", code)
    assert isinstance(error, listeners.UnavailableError)
    assert error.reason == reason
    assert error.cure.startswith("broker.listen: ")
    assert cure in error.cure


def test_only_for_mqtt_another_broker_is_thought_of():
    assert "mosquitto" not in refused("127.0.0.1:1883", errno.EADDRINUSE, name="websocket").cure.removeprefix(
        "broker.listen"
    )


@pytest.mark.parametrize(
    ("code", "told"), [(errno.EACCES, "choose a port from 1024 up"), (errno.EAFNOSUPPORT, "choose another address")]
)
def test_what_only_a_person_can_mend_is_an_error_of_the_configuration(code, told):
    error = refused("[::1]:183", code)
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("broker.listen = '[::1]:183': ")
    assert told in str(error)


def test_tries_to_listen_come_slower_and_slower():
    waits = [listeners.delay_s(attempt, jitter=0) for attempt in range(12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1], listeners.delay_s(40, jitter=1)) == (0.05, 2.5, 5)

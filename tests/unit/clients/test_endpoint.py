"""A broker's address, as users write it."""

from __future__ import annotations

import pytest

from clients.endpoint import parse_endpoint
from clients.errors import UsageError


@pytest.mark.parametrize(
    ("url", "text", "tls", "websocket"),
    [
        ("mqtt://host", "mqtt://host:1883", False, False),
        ("mqtts://host", "mqtts://host:8883", True, False),
        ("mqtt://[::1]:99", "mqtt://[::1]:99", False, False),
        ("ws://host:80/mqtt", "ws://host:80/mqtt", False, True),
        ("wss://host", "wss://host:443/", True, True),
    ],
)
def test_endpoint(url, text, tls, websocket):
    endpoint = parse_endpoint(url)
    assert (str(endpoint), endpoint.tls, endpoint.websocket) == (text, tls, websocket)


@pytest.mark.parametrize(
    "url", ["", "host", "http://host", "mqtt://", "mqtt://host:0", "mqtt://host:99999", "mqtt://u:p@host"]
)
def test_endpoint_that_cannot_be_used(url):
    with pytest.raises(UsageError, match="--url"):
        parse_endpoint(url)

"""The way to the broker: the PROXY header as the broker reads it."""

from __future__ import annotations

import pytest

from bridge.http.upstream import proxy_header
from broker import proxy


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::1"])
def test_the_broker_reads_whom_the_header_names(address):
    header = proxy_header(address)
    read = proxy.read(header + b"\x10\x00")
    assert read is not None
    assert (read.size, read.address) == (len(header), address)

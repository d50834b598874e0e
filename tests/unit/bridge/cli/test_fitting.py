from __future__ import annotations

import pytest

from bridge.cli.fitting import warnings
from bridge.contract.header import longest_packet
from bridge.store.pairing import DeviceListing


def device(name, payload=None, user="alice"):
    return DeviceListing(user, name, f"{user}.{name}", 0, None, payload)


def warned(*devices, payload=512):
    return list(warnings(devices, root="mail", payload=payload))


@pytest.mark.parametrize(
    "devices",
    [
        [],
        [device("phone")],
        [device("board", 192)],
        [device("board", 192), device("clock", 192)],
        [device("board", 192), device("phone", user="bob")],
        [device("board", 512), device("phone")],
    ],
)
def test_who_gets_what_it_takes_is_not_warned_of(devices):
    assert warned(*devices) == []


def test_a_small_device_beside_a_large_one_is_told_its_buffer():
    (text,) = warned(device("board", 192), device("phone"), device("tablet"))
    assert "alice.board takes headers of 192 bytes, and more go to phone, tablet" in text
    assert f"a buffer of {longest_packet('mail', 'alice', 512)} bytes" in text
    assert "postbell device change alice phone --payload 192" in text


def test_of_two_small_ones_the_smaller_is_told():
    (text,) = warned(device("board", 192), device("clock", 256))
    assert f"a buffer of {longest_packet('mail', 'alice', 256)} bytes" in text
    assert warned(device("board", 192), device("clock", 256), payload=192) == []

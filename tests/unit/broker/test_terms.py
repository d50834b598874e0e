"""What is agreed upon at CONNECT."""

from __future__ import annotations

import pytest

from broker.terms import agreed, keep_alive_s
from broker.wire.packets import NEVER, Connect
from tests.unit.broker.stage import ALICE, BRIDGE


def connect(level=5, client_id="c", keep_alive=60, session_s=0):
    return Connect(level, client_id, clean_start=True, keep_alive=keep_alive, session_s=session_s)


@pytest.mark.parametrize(
    ("asked", "least", "holds"),
    [
        (60, 900, 900),
        (0, 900, 900),
        (899, 900, 900),
        (1200, 900, 1200),
        (14_400, 900, 14_400),
        (65_535, 900, 14_400),
        (1, 0, 1),
        (0, 0, 0),
        (65_535, 0, 65_535),
    ],
)
def test_a_device_of_mqtt_5_may_be_silent_for_long_but_not_for_ever(asked, least, holds):
    """[MQTT-3.2.2-21]"""
    assert keep_alive_s(connect(keep_alive=asked), ALICE, least=least) == holds


def test_an_older_device_and_the_bridge_are_served_as_they_wish():
    assert keep_alive_s(connect(level=4), ALICE, least=900) == 60
    assert keep_alive_s(connect(keep_alive=5), BRIDGE, least=900) == 5


def test_only_what_is_other_than_asked_for_is_told():
    asked = connect(session_s=60)
    told = agreed(asked, ALICE, keep_alive=60, session_s=60, packet=1000)
    assert (told.session_s, told.client_id, told.keep_alive, told.packet_maximum) == (None, None, None, 1000)
    assert (told.receive_maximum, told.alias_maximum) == (1024, 16)
    told = agreed(connect(client_id="", session_s=NEVER), ALICE, keep_alive=900, session_s=3600, packet=1000)
    assert (told.session_s, told.client_id, told.keep_alive) == (3600, "alice.phone", 900)

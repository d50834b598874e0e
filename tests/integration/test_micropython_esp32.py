"""The ESP32 example under MicroPython's UNIX port, with a panel of paper: wake, fetch what is new, sleep."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clients.micropython.build import SOURCE
from tests.conftest import need
from tests.support.contract_player import Player, mail_id
from tests.support.micropython import compiled
from tests.support.mosquitto import Mosquitto

PROGRAM = Path(__file__).parents[1] / "support" / "epaper_main.py"


@pytest.fixture
def player(tmp_path):
    with Mosquitto(tmp_path) as broker, Player(broker) as connected:
        connected.port = broker.port
        connected.on_request = connected.mark_seen
        yield connected


@pytest.fixture
def wake(tmp_path, player):
    """Wakes the board up by `timer` or `button`: what it did, and the picture if it drew one."""
    compiled(tmp_path / "postbell.mpy")
    compiled(tmp_path / "esp32_epaper.mpy", SOURCE.with_name("esp32_epaper.py"))
    compiled(tmp_path / "awake.mpy", PROGRAM)

    def woken(by):
        image = tmp_path / "panel.pbm"
        image.unlink(missing_ok=True)
        player.settle()
        command = [need("micropython"), "-X", "heapsize=160k", "-m", "awake", str(player.port), by, "state", image]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert not done.stderr
        assert done.stdout.splitlines()[-1] == "sleeps 900000", done.stdout
        return done.stdout.splitlines(), image.read_text().split("\n")[2:-1] if image.exists() else None

    return woken


def test_it_draws_what_is_new_and_only_then(wake, player):
    player.deliver(*range(6))
    did, picture = wake("timer")
    assert "drawn 250 16" in did
    assert did.index("wifi False") < did.index("drawn 250 16"), "the radio is off while the panel draws"
    assert did[-2] == "button 27"
    black = sum(row.count("1") for row in picture)
    assert 2_000 < black < 10_000
    did, _ = wake("timer")
    assert not any(line.startswith("drawn") for line in did)
    player.deliver(6)
    did, again = wake("timer")
    assert "drawn 250 16" in did
    assert again != picture


def test_the_button_says_that_what_is_on_the_screen_was_seen(wake, player):
    player.deliver(*range(6))
    wake("timer")
    did, _ = wake("button")
    assert player.requests[-1][2:3] == ["seen"]
    assert sorted(player.requests[-1][3:]) == [mail_id(number) for number in range(2, 6)]
    assert "drawn 250 16" in did or wake("timer")[1] is not None
    assert sorted(player.live) == [mail_id(0), mail_id(1)]


def test_without_a_broker_it_sleeps_on(wake, player):
    player.deliver(0)
    wake("timer")
    player.port = 1
    did, picture = wake("timer")
    assert picture is None
    assert did[-1] == "sleeps 900000"

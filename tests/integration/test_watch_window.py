"""`watch --tui` on a pseudo-terminal, with a broker: mail comes, is marked as seen, and a key ends it."""

from __future__ import annotations

import os

import pytest

from tests.support.contract_player import Command, Player, mail_id
from tests.support.mosquitto import Mosquitto
from tests.support.pseudo_terminal import PseudoTerminal
from tests.support.waiting import until


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def player(broker):
    with Player(broker) as connected:
        yield connected


def test_mail_comes_into_the_window_and_is_seen_from_there(tmp_path, broker, player):
    player.on_request = player.mark_seen
    player.deliver(0, subject="waited [/nope]")
    watch = Command(tmp_path, broker, "--tui")
    window = PseudoTerminal(watch, columns=100, lines=30)
    until(lambda: window.shows("waited [/nope]"), what="the mail that waited")
    player.deliver(1, subject="came [@click=app.exit(7)]boom[/]")
    until(lambda: window.shows("came [@click=app.exit(7)]boom[/]"), what="the mail that came")
    window.press("s")
    until(lambda: list(player.live) == [mail_id(1)], what="the mail under the cursor to be marked as seen")
    second = Command(tmp_path, broker, "--json")
    second.err = tmp_path / "second.err"
    assert second.run() == 1
    assert "is being watched already" in second.complaints
    window.press("q")
    until(lambda: window.shows("never") or watch.process.poll() is not None, what="its end")
    assert watch.process.returncode == 0
    os.close(window.master)


def test_without_a_terminal_or_with_options_of_the_plain_watcher_it_says_so(tmp_path, broker):
    plain = Command(tmp_path, broker, "--tui", "--json")
    assert plain.run() == 2
    assert "go with the plain watcher" in plain.complaints
    piped = Command(tmp_path, broker, "--tui")
    assert piped.run() == 2
    assert "--tui needs a terminal" in piped.complaints

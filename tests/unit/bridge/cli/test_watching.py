"""`status --watch`: what moves, in lines for people, in a line for a pipe, and as JSON."""

from __future__ import annotations

import functools
import io
import json
from typing import Any

import pytest
from rich.console import Console

from bridge.cli import watching
from bridge.cli.watching import Look, line, lines
from bridge.daemon.moving import moving
from bridge.tally import Tally

STATUS = {"known": True, "ok": True, "down": [], "store": "ok", "running": True, "outbox": 3}
FIGURES = {
    "accepted": 1200,
    "copies": 1,
    "refused": 2,
    "senders": 4,
    "published": 5000,
    "headers": 1150,
    "timed": 10,
    "timed_s": 0.5,
    "repaired": 0,
    "requests": 7,
    "devices": 2,
}


def at(moment, *, status: Any = None, **figures: Any):
    return Look(moment, STATUS | (status or {}), FIGURES | figures)


def test_people_see_counts_and_their_rates():
    told = lines(at(60.0, accepted=1230, timed=12, timed_s=0.7), at(0.0))
    assert told == [
        "taken             1,230, 30 a minute, 1 of them known copies",
        "refused           2",
        "senders           4 connected",
        "published         5,000",
        "to the broker     100 ms for a mail in the last minute",
        "repaired          0 topics",
        "requests          7",
        "devices           2 online",
    ]


def test_what_is_not_known_is_not_shown():
    told = lines(at(2.0, devices=None, timed=0, timed_s=0.0), at(0.0, timed=0, timed_s=0.0))
    assert not any(each.startswith("devices") for each in told)
    assert "to the broker     no mail yet" in told
    assert lines(Look(1.0, STATUS, None), at(0.0)) == []
    assert "50 ms for a mail since the start" in "".join(lines(at(2.0), at(0.0)))


def test_a_bridge_that_was_started_anew_has_counted_from_nothing():
    assert line(at(2.0, accepted=5), at(0.0)).startswith("ok, taken 5 (+5), refused 2, ")
    assert line(at(2.0), Look(0.0, STATUS, None)).startswith("ok, taken 1,200 (+1,200), ")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "ok, taken 1,200, refused 2, published 5,000, requests 7, devices 2, outbox 3"),
        ({"down": ["broker", "mqtt"]}, "down: broker mqtt, taken"),
        ({"store": "damaged"}, "the store is not ok, "),
        ({"known": False}, "cannot be known, "),
    ],
)
def test_a_pipe_gets_a_line_each_time(status, said):
    now = at(1.0, status=status)
    assert line(now, now).startswith(said)


def test_a_line_without_a_bridge_has_what_there_is():
    status = STATUS | {"running": False, "down": ["bridge"], "outbox": None}
    assert line(Look(1.0, status, None), Look(0.0, STATUS, FIGURES)) == "down: bridge"


@pytest.fixture
def watched(monkeypatch, capsys):
    """Watches so many looks, then Ctrl-C comes; what was printed, and the last status."""

    def see(many, *, figures: Any = FIGURES, statuses: Any = (STATUS,), **options):
        left = iter([None] * (many - 1))

        def sleep(_seconds):
            if next(left, "ended") == "ended":
                raise KeyboardInterrupt

        monkeypatch.setattr("bridge.cli.watching.time.sleep", sleep)
        found = iter([*statuses, *[statuses[-1]] * many])
        last = watching.watch(
            lambda: next(found), figures=lambda: figures, describe=lambda each: [f"outbox {each['outbox']}"], **options
        )
        return capsys.readouterr().out, last

    return see


def test_ctrl_c_ends_it_with_the_last_status(watched):
    out, last = watched(3, as_json=False, statuses=[STATUS, STATUS | {"outbox": 4}])
    assert [each.partition(" ")[2].rpartition(" ")[2] for each in out.splitlines()] == ["3", "4", "4"]
    assert last["outbox"] == 4


def test_json_is_an_object_a_line_and_nobody_is_asked_where_none_runs(watched):
    out, _ = watched(2, as_json=True, statuses=[STATUS, STATUS | {"running": False}])
    first, second = map(json.loads, out.splitlines())
    assert (first["figures"], second["figures"]) == (FIGURES, None)
    assert first.keys() == STATUS.keys() | {"figures"}


@pytest.mark.parametrize(("no_color", "escapes"), [("", True), ("1", True)])
def test_a_terminal_is_renewed_in_place(watched, monkeypatch, no_color, escapes):
    monkeypatch.setenv("NO_COLOR", no_color)
    screen = io.StringIO()
    made = functools.partial(Console, file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(watching, "Console", made)
    watched(2, as_json=False)
    shown = screen.getvalue()
    assert shown.count("outbox 3") == 3, "twice as it was looked at, and left there at the end"
    assert "taken             1,200" in shown
    assert ("\x1b[" in shown) is escapes
    assert not any(f"\x1b[{color}m" in shown for color in range(30, 50))


def test_ctrl_c_before_the_first_look_is_told_as_such():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watching.watch(interrupted, figures=lambda: None, describe=lambda _: [], as_json=False)


def test_what_a_bridge_tells_is_what_is_shown():
    tally = Tally(monotonic=lambda: 1.0)
    tally.keep(1, 2, "ring", told=True)
    tally.arrive(1, 2)
    told = moving(tally, {})
    assert told.keys() == FIGURES.keys()
    assert (told["timed"], told["devices"]) == (1, None)
    assert moving(tally, {"devices": 3.0})["devices"] == 3

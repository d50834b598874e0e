"""How mailboxes go, as status and `mailbox list` tell it, and which of them somebody has to look after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.cli import facts, following, status
from bridge.daemon import control, runfile
from bridge.mailbox.account import MailAccount, Secret, SecretKind
from bridge.store import mailboxes, offline
from tests.support.configured import configured
from tests.support.stored import COUNT, DAYS, NOON_MS, add_user

ACCOUNT = MailAccount(
    mailbox_id=0,
    user_id=0,
    user="alice",
    host="imap.example.org",
    port=993,
    tls=True,
    login="alice@example.org",
    secret=Secret(SecretKind.PASSWORD_FILE, "/secret"),
)
FINE = {"state": "following", "reason": "", "since_ms": NOON_MS, "event_ms": NOON_MS, "lag_ms": 12, "down": False}
REFUSED = FINE | {"state": "refused", "reason": "the server refuses the login: no", "down": True}
AWAY = FINE | {"state": "connecting", "reason": "no route", "event_ms": None, "lag_ms": None}
UP = {"connected": True, "smtp": "127.0.0.1:2525", "mqtt": "127.0.0.1:1883"}


@pytest.fixture
def settings(tmp_path):
    add_user(tmp_path / "postbell.db", "alice")
    return configured(state_dir=tmp_path, smtp={"listen": "127.0.0.1:2525"}, broker={"listen": "127.0.0.1:1883"})


@pytest.fixture
def follow(settings):
    """Has folders followed."""

    def done(*folders):
        with offline.transaction(settings.database, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
            mailboxes.add(transaction, ACCOUNT, folders)

    return done


@pytest.fixture
def look(settings, monkeypatch):
    """Status where the bridge says that of the folders, in their order; None for a bridge that says nothing."""

    def asked(standings):
        def ask(_run_dir, request, *, deadline_s):
            assert (request, deadline_s) == ({"do": "mailboxes"}, following.ASK_S)
            if standings is None:
                raise control.ControlError("no answer")
            return {"folders": [{"folder_id": n, **each} for n, each in enumerate(standings, 1)]}

        monkeypatch.setattr(control, "ask", ask)
        for name in (runfile.BRIDGE, runfile.BROKER):
            runfile.write(settings.run_dir, name, UP)
        with runfile.only_one(settings.run_dir, runfile.BRIDGE), runfile.only_one(settings.run_dir, runfile.BROKER):
            return facts.collect(settings, missing="")

    return asked


def rows(found):
    return [line for line in status.describe(found) if "mailbox" in line or line.startswith(" ")]


def test_who_follows_none_asks_nobody_and_says_nothing(look):
    found = look(None)
    assert (found["mailboxes"], rows(found), status.exit_code(found)) == ([], [], 0)


def test_each_folder_is_told(follow, look):
    follow("INBOX", "Work")
    found = look([FINE, FINE | {"state": "polling", "event_ms": None, "lag_ms": None}])
    assert (found["down"], status.exit_code(found)) == ([], 0)
    assert [(each["folder"], each["connected"], each["down"]) for each in found["mailboxes"]] == [
        ("INBOX", True, False),
        ("Work", True, False),
    ]
    place = "at imaps://imap.example.org:993"
    assert rows(found) == [
        f"mailbox 1         alice, INBOX {place}: following, last event 2026-05-28T20:26:40Z, lag 12 ms",
        f"mailbox 1         alice, Work {place}: polling",
    ]


def test_a_login_that_is_refused_is_down(follow, look):
    follow("INBOX", "Work")
    found = look([REFUSED, REFUSED])
    assert (found["down"], found["ok"], status.exit_code(found)) == (["mailbox 1"], False, 1)
    assert "refused since 2026-05-28T20:26:40Z: the server refuses the login: no" in rows(found)[0]


def test_a_server_that_is_away_is_told(follow, look):
    follow("INBOX")
    found = look([AWAY])
    assert (found["down"], found["mailboxes"][0]["connected"]) == ([], False)
    assert rows(found)[0].endswith(": connecting since 2026-05-28T20:26:40Z: no route")


def test_a_bridge_that_says_nothing_or_is_not_there(follow, look, settings):
    follow("INBOX")
    assert look(None)["mailboxes"][0]["state"] == "unknown"
    found = facts.collect(settings, missing="")
    assert found["mailboxes"][0]["state"] == "not running"
    assert "mailbox 1" not in found["down"], "the bridge is"


def test_of_many_folders_those_in_trouble_are_told(look, settings):
    with offline.transaction(settings.database, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        for n in range(30):
            mailboxes.add(transaction, replace(ACCOUNT, login=f"alice{n}"), ["INBOX"])
    found = look([FINE] * 18 + [REFUSED] * 12)
    lines = rows(found)
    assert lines[0] == "mailboxes         18 of 30 folders are connected"
    assert [line.split(":")[0][:10] for line in lines[1:3]] == ["mailbox 19", "mailbox 20"]
    assert lines[-1].strip() == "and 2 more: postbell mailbox list"
    assert len(lines) == 12
    assert len(found["down"]) == 12


def test_where_the_store_cannot_be_read_nothing_is_known_of_them(settings):
    assert facts.collect(settings, missing="away")["mailboxes"] is None

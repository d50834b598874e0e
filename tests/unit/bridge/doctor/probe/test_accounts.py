"""The throw-away accounts: one doctor's at a time, gone afterwards, or it is told why they may not be."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from bridge.config.settings import Settings
from bridge.directory import User
from bridge.doctor.probe import accounts as probing
from bridge.doctor.probe.accounts import BusyError, Ending, accounts
from bridge.errors import MalformedNameError
from bridge.store import database, offline, people
from tests.support.book import Book
from tests.support.stored import COUNT, DAYS, NOON_MS, add_user


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "CLEARED_S", 0.05)
    add_user(tmp_path / "postbell.db", "alice")
    (tmp_path / "run").mkdir()
    return Settings(state_dir=tmp_path)


def made(settings, password="", ending=None):
    return accounts(settings, password=password, now_ms=lambda: NOON_MS, ending=ending or Ending())


def users(settings):
    with offline.reading(settings.database) as connection:
        return people.probes(connection), [user.user for user in people.list_users(connection, 0)]


def test_they_are_there_for_a_moment_and_in_no_list(settings):
    with made(settings) as (first, second):
        assert first.username == "postbell-doctor-a.probe"
        assert first.address == "postbell-doctor-a@doctor.invalid"
        assert first.password != second.password
        assert users(settings) == (["postbell-doctor-a", "postbell-doctor-b"], ["alice"])
    assert users(settings) == ([], ["alice"])


def test_both_may_have_one_password(settings):
    with made(settings, "known") as (first, second):
        assert (first.password, second.password) == ("known", "known")


def test_what_an_earlier_one_left_is_removed(settings):
    with offline.transaction(settings.database, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        people.add_probe(transaction, "postbell-doctor-old")
    with made(settings):
        assert users(settings)[0] == ["postbell-doctor-a", "postbell-doctor-b"]
    assert users(settings)[0] == []


def test_two_doctors_do_not_meet(settings):
    with made(settings):
        with pytest.raises(BusyError), made(settings):
            pass
        assert len(users(settings)[0]) == 2


def test_what_is_not_cleared_yet_is_told(settings):
    ending = Ending()
    with made(settings, ending=ending):
        pass
    assert "wait to be cleared" in ending.left  # no bridge runs here


def test_accounts_that_cannot_be_removed_are_told(settings, monkeypatch):
    ending, connect = Ending(), database.connect

    def impatient(path):
        connection = connect(path)
        connection.execute("PRAGMA busy_timeout = 1")
        return connection

    monkeypatch.setattr(database, "connect", impatient)
    with closing(sqlite3.connect(settings.database)) as other, made(settings, ending=ending):
        other.execute("BEGIN IMMEDIATE")
    assert "still there: " in ending.left
    with made(settings):
        pass
    assert users(settings)[0] == []


def test_their_names_are_nobody_elses(settings):
    with (
        offline.transaction(settings.database, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction,
        pytest.raises(MalformedNameError, match="are the doctor's"),
    ):
        people.add_user(transaction, "postbell-doctor-x", ["x@example.org"])


def test_nobodys_mail_for_postmaster_goes_to_them():
    probe, alice = User(1, "postbell-doctor-a"), User(2, "alice")
    assert Book([probe, alice]).postmaster() == alice
    assert Book([probe]).postmaster() is None

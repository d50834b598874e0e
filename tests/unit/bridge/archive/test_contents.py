"""What a backup says of itself, and what proves that it is whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive import contents
from bridge.archive.contents import BackupError, Head, Member

HEAD = Head(
    version="0.2.0",
    schema=4,
    created_ms=1_780_000_000_000,
    node="main",
    users=2,
    messages=3,
    bodies=1,
    spool_files=1,
    missing=("00ff.eml",),
    size=12,
)
DATABASE = Member(contents.DATABASE, 4, "aa")
LARGE = Member("spool/00.eml", 8, "bb")


def test_a_head_says_the_same_when_it_is_read():
    assert Head.parse(HEAD.written()) == HEAD


def test_a_head_of_another_format_is_left_to_the_version_that_made_it():
    text = json.dumps(json.loads(HEAD.written()) | {"format": 2}).encode()
    with pytest.raises(BackupError, match="format 2: the version that made it"):
        Head.parse(text)


@given(st.binary() | st.sampled_from([b"{}", b"[]", b"7", b'{"format": 1}', b'{"format": 1, "missing": 3}']))
def test_what_is_no_head_is_refused(text):
    with pytest.raises(BackupError, match="no backup of Postbell"):
        Head.parse(text)


def test_checksums_say_the_same_when_they_are_read():
    assert contents.parse_checksums(contents.checksums([DATABASE, LARGE])) == [DATABASE, LARGE]


@given(st.binary() | st.sampled_from([b"7", b'[{"name": "x"}]', b'[{"name": 1, "size": "x", "sha256": 1}]']))
def test_what_are_no_checksums_are_refused(text):
    with pytest.raises(BackupError, match="damaged"):
        contents.parse_checksums(text)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ([DATABASE], r"spool/00.eml is missing"),
        ([DATABASE, Member("spool/00.eml", 8, "cc")], r"spool/00.eml is not what was saved"),
        ([DATABASE, Member("spool/00.eml", 9, "bb")], r"spool/00.eml is not what was saved"),
        ([DATABASE, LARGE, Member("local.key", 1, "dd")], r"local.key is not what was saved"),
    ],
)
def test_what_differs_is_named(found, problem):
    contents.compare([DATABASE, LARGE], [LARGE, DATABASE])
    with pytest.raises(BackupError, match=problem):
        contents.compare([DATABASE, LARGE], found)


def test_without_a_database_it_is_none():
    with pytest.raises(BackupError, match="no database"):
        contents.compare([LARGE], [LARGE])


@pytest.mark.parametrize("name", ["postbell.db", "local.key", "mqtt-password", "postbell.toml", "spool/0af9-_Z.eml"])
def test_what_belongs(name):
    assert contents.belongs(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "/postbell.db",
        "spool/../postbell.db",
        "spool/.eml",
        "spool/a/b.eml",
        "spool/x",
        "spool/x.eml\n",
        "run/x",
    ],
)
def test_nothing_else_does(name):
    assert not contents.belongs(name)

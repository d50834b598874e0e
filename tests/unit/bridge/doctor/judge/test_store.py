"""The database and its disk, judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.store import MIB, OF_STORE, StoreSeen, judge
from tests.support.findings import answer, found

GOOD = StoreSeen(
    "/s/postbell.db", schema=3, newest_schema=3, free_bytes=900 * MIB, bodies_bytes=MIB, body_total=800 * MIB
)


def changed(**changes):
    return judge(replace(GOOD, **changes), closed=False)


def test_what_is_right_is_fine():
    findings = judge(GOOD, closed=False)
    assert {finding.check: finding.ok for finding in findings} == dict.fromkeys(OF_STORE, True)


def test_who_may_not_look_knows_nothing():
    assert {finding.ok for finding in judge(StoreSeen("/s/postbell.db", missing=True), closed=True)} == {None}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"missing": True}, "there is no database /s/postbell.db"),
        ({"error": "disk I/O error"}, "cannot be opened: disk I/O error"),
        ({"ours": False}, "a database of another program"),
    ],
)
def test_a_database_that_cannot_be_opened(change, told):
    findings = changed(**change)
    assert told in found(findings, "store.opens").problem
    assert {finding.check for finding in findings} == set(OF_STORE)


def test_damage():
    assert "(row 7 missing)" in found(changed(damage="row 7 missing"), "store.sound").problem
    assert answer(changed(damage=None), "store.sound") is None


def test_another_schema():
    assert "older version" in found(changed(schema=2), "store.schema").problem
    assert "newer Postbell (schema 9, this one knows 3)" in found(changed(schema=9), "store.schema").problem


def test_nothing_can_be_written():
    assert "read-only" in found(changed(refusal="read-only"), "store.writable").problem


def test_a_log_that_grows_and_grows():
    assert "has 300 MiB" in found(changed(log_bytes=300 * MIB), "store.log").problem


def test_less_room_than_bodies_may_take():
    finding = found(changed(free_bytes=199 * MIB), "store.room")
    assert "has 199 MiB left, and body.total lets bodies grow by 799 MiB more" in finding.problem
    assert "body.total to 100M" in finding.cure
    assert answer(changed(free_bytes=0, bodies_bytes=900 * MIB), "store.room") is True

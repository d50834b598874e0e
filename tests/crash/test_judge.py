"""The judge itself: each finding from a history of a few lines, and none from a good one."""

from __future__ import annotations

import pytest

from tests.crash import history
from tests.crash.history import (
    Answered,
    Box,
    Broken,
    Event,
    Gone,
    History,
    Live,
    Overheard,
    Rung,
    SeenAsked,
    SeenDone,
    Sent,
    Shown,
    Wrong,
)
from tests.crash.judge import judge

DEVICES = {"alice": ("alice/terminal", "alice/phone"), "bob": ("bob/terminal",)}
ALICE = ("alice",)
NEVER: list[Event] = [Live("bob", (), ()), Box("bob/terminal", ())]


def found(*events, live_count=100):
    return judge([*events, *NEVER], devices=DEVICES, live_count=live_count)


def kept(marker="m00001", mail_id="000000001", users=ALICE):
    return [Sent(marker, users, 1), Answered(marker, 1, 250, f"{mail_id} kept")]


def shown(marker="m00001", mail_id="000000001", devices=DEVICES["alice"]):
    return [Shown(device, marker, mail_id) for device in devices]


def end(*ids, live=None):
    live = ids if live is None else live
    return [Live("alice", ids, live), *(Box(device, live) for device in DEVICES["alice"])]


def test_a_good_history():
    verdict = found(*kept(), *shown(), *end("000000001"))
    assert verdict.clean
    assert (verdict.accepted, verdict.shown) == (1, 2)


def test_lost_on_one_device():
    verdict = found(*kept(), Shown("alice/phone", "m00001", "000000001"), *end("000000001"))
    assert verdict.lost == ["alice/terminal never showed m00001"]


def test_shown_twice():
    verdict = found(*kept(), *shown(), Shown("alice/phone", "m00001", "000000001"), *end("000000001"))
    assert verdict.twice == ["alice/phone showed m00001 2 times"]


def test_a_copy_under_another_id_is_shown_twice():
    copies = [*shown(mail_id="000000001"), *shown(mail_id="000000002")]
    assert found(*kept(), *copies, *end("000000001", "000000002")).twice


def test_the_same_message_has_one_id_on_all_devices():
    verdict = found(
        *kept(),
        Shown("alice/phone", "m00001", "000000001"),
        Shown("alice/terminal", "m00001", "000000002"),
        *end("000000001"),
    )
    assert verdict.twice == ["alice has m00001 as 000000001 and as 000000002"]


@pytest.mark.parametrize(
    "attempt",
    [Answered("m00001", 1, 451, ""), Broken("m00001", 1, whole=False)],
    ids=["refused", "cut off before the end of data"],
)
def test_shown_but_never_accepted(attempt):
    verdict = found(Sent("m00001", ALICE, 1), attempt, *shown(), *end())
    assert "alice/phone showed m00001, which was never accepted" in verdict.invented


def test_what_was_cut_off_before_its_reply_may_be_kept_or_not():
    cut = [Sent("m00001", ALICE, 1), Broken("m00001", 1, whole=True)]
    assert found(*cut, *end()).clean
    assert found(*cut, *shown(), *end("000000001")).clean


def test_what_was_cut_off_and_tried_again_is_shown_once():
    again = [Sent("m00001", ALICE, 1), Broken("m00001", 1, whole=True), Sent("m00001", ALICE, 2)]
    again += [Answered("m00001", 2, 250, "")]
    assert found(*again, *shown(), *end("000000001")).clean
    assert not found(*again, *shown(), *end("000000001", "000000002")).clean


def test_something_on_the_screen_that_is_no_message():
    assert found(Shown("alice/terminal", "", "half a line"), *end()).invented


def test_shown_to_the_wrong_user():
    verdict = found(*kept(), *shown(), Shown("bob/terminal", "m00001", "000000001"), *end("000000001"))
    assert verdict.leaked == ["bob/terminal showed m00001, which was for alice"]


def test_a_foreign_topic():
    verdict = found(Overheard("bob/terminal", "mail/alice/msg/000000001"), *end())
    assert verdict.leaked == ["bob/terminal received mail/alice/msg/000000001"]


def test_seen_elsewhere_need_not_be_shown_and_is_not_live():
    seen = [SeenAsked("alice", "000000001"), SeenDone("alice", "000000001")]
    phone = Shown("alice/phone", "m00001", "000000001")
    assert found(*kept(), phone, *seen, *end("000000001", live=())).clean
    assert not found(*kept(), phone, *seen, *end("000000001")).clean


def test_asked_for_as_seen_without_an_answer_may_be_either():
    asked = [*kept(), *shown(), SeenAsked("alice", "000000001")]
    assert found(*asked, *end("000000001")).clean
    assert found(*asked, *end("000000001", live=())).clean


def test_a_small_ring_may_push_out_what_nobody_saw():
    two = [*kept(), *kept("m00002", "000000002"), *shown("m00002", "000000002")]
    assert found(*two, *end("000000001", "000000002", live=("000000002",)), live_count=1).clean
    assert found(*two, *end("000000001", "000000002")).lost


def test_a_small_ring_excuses_nothing_that_is_live():
    two = [*kept(), *kept("m00002", "000000002"), *shown(), Shown("alice/phone", "m00002", "000000002")]
    verdict = found(*two, *end("000000001", "000000002", live=("000000002",)), live_count=1)
    assert verdict.lost == ["alice/terminal never showed m00002"]


def test_the_live_set_is_the_newest_unseen():
    two = [*kept(), *kept("m00002", "000000002"), *shown(), *shown("m00002", "000000002")]
    assert found(*two, *end("000000001", "000000002", live=("000000001",)), live_count=1).disagree


def test_the_store_lost_what_was_accepted():
    assert found(*kept(), *shown(), *end()).disagree


def test_a_box_with_a_leftover():
    events = [*kept(), *shown(), Live("alice", ("000000001",), ("000000001",))]
    verdict = found(*events, Box("alice/phone", ("000000001", "000000009")))
    assert verdict.disagree == ["the box of alice/phone has 1 too many and 0 too few"]


def test_a_wrong_retained_topic():
    assert found(Wrong("mail/alice/box", "different"), *end()).disagree == ["retained mail/alice/box: different"]


def test_taken_away_what_never_was():
    assert found(Gone("alice/phone", "000000009"), *end()).invented


def test_a_history_reads_back_as_it_was_written(tmp_path):
    events = [*kept(), *shown(), Broken("m00002", 3, whole=True), *end("000000001"), Wrong("mail/alice/box", "missing")]
    written = History(tmp_path / "history.jsonl", clock=lambda: 1.5)
    for event in events:
        written.add(event)
    written.close()
    assert list(history.read(tmp_path / "history.jsonl")) == events


# --- devices that sleep ---------------------------------------------------------------------------


def rung(*events):
    """What is found of a device of alice's that sleeps, while two messages are kept and shown."""
    story = [*kept(), *shown(), *kept("m00002", "000000002"), *shown("m00002", "000000002"), *events]
    end_of_it = [*end("000000001", "000000002"), *NEVER]
    return judge([*story, *end_of_it], devices=DEVICES, live_count=100, sleepers=["alice/sleeper"])


def ring(mail_id, topic=None):
    return Rung("alice/sleeper", mail_id, topic or mail_id)


def test_a_device_that_sleeps_is_rung_for_each_message():
    assert rung(ring("000000001"), ring("000000002"), ring("000000002")).clean, "the topic makes one of two"
    assert rung(ring("000000002")).unrung == ["alice/sleeper was never rung for 000000001"]


def test_a_device_that_sleeps_is_rung_for_nothing_else_and_under_one_topic():
    both = ring("000000001"), ring("000000002")
    assert rung(*both, ring("000000009")).invented == ["alice/sleeper was rung for 000000009, which alice has not"]
    assert rung(*both, ring("000000002", "other")).twice == ["alice/sleeper was rung for 000000002 under other"]


def test_what_was_seen_need_not_ring():
    verdict = judge(
        [
            *kept(),
            *shown(),
            SeenAsked("alice", "000000001"),
            SeenDone("alice", "000000001"),
            *end("000000001", live=()),
            *NEVER,
        ],
        devices=DEVICES,
        live_count=100,
        sleepers=["alice/sleeper"],
    )
    assert not verdict.unrung

"""Whether a mail rings, and which rule decided it: by tables and by properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from bridge.model import Flag, Header
from bridge.rules.alert import Alert, judge
from bridge.rules.change import Change, changed
from bridge.rules.hide import Hide
from bridge.rules.rules import SAFEST, Rules, plain, read
from bridge.rules.spam import SpamAction
from tests.unit.bridge.rules.strategies import arrivals, headers, rule_sets, rules

BERLIN = ZoneInfo("Europe/Berlin")
BOB = Header(Flag.ATTACHMENT, "Bob", "bob@news.example", "Code 4711", "Your code is 4711", 9, "shop", 5)


def at(text, *, fold=0):
    """Unix milliseconds of a moment in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp() * 1000)


NOON = at("2026-03-01T12:00")


def judged(given_rules, header=BOB, *, list_id="", now_ms=NOON, rings=0, spam=SpamAction.MARK, readable=True):
    return judge(given_rules, header, list_id=list_id, now_ms=now_ms, rings=rings, spam=spam, readable=readable)


# --- who it is from -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "from_address", "list_id", "matches"),
    [
        ("bob@news.example", "bob@news.example", "", True),
        ("BOB@News.Example", "bob@news.example", "", True),
        ("bob@news.example", "Bob@NEWS.example", "", True),
        ("bob@news.example", "jimbob@news.example", "", False),
        ("bob@news.example", "bob@news.example.net", "", False),
        ("@news.example", "anybody@news.example", "", True),
        ("@news.example", "anybody@mail.news.example", "", False),
        ("@news.example", "news.example", "", True),
        ("@bücher.example", "post@xn--bcher-kva.example", "", True),
        ("@xn--bcher-kva.example", "post@bücher.example", "", True),
        ("weekly.news.example", "bob@news.example", "weekly.news.example", True),
        ("<Weekly.News.example>", "bob@news.example", "weekly.news.example", True),
        ("weekly.news.example", "weekly.news.example@x.example", "", False),
        ("weekly.news.example", "bob@news.example", "daily.news.example", False),
        ("list@news.example", "bob@other.example", "list@news.example", True),
        ("@news.example", "", "", False),
    ],
)
def test_a_pattern_names_an_address_a_domain_or_a_list(pattern, from_address, list_id, matches):
    header = replace(BOB, from_address=from_address)
    muting = changed(Rules(), Change(mute=(pattern,)))
    assert judged(muting, header, list_id=list_id) is (Alert.MUTED if matches else Alert.RING)
    favouring = changed(Rules(), Change(vip=(pattern,)))
    assert judged(favouring, header, list_id=list_id) is (Alert.VIP if matches else Alert.RING)


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "moment", "quiet"),
    [
        ("22:00-07:00", "2026-03-01T21:59:59", False),
        ("22:00-07:00", "2026-03-01T22:00", True),
        ("22:00-07:00", "2026-03-02T00:00", True),
        ("22:00-07:00", "2026-03-02T06:59:59", True),
        ("22:00-07:00", "2026-03-02T07:00", False),
        ("13:00-14:30", "2026-03-01T12:59", False),
        ("13:00-14:30", "2026-03-01T13:00", True),
        ("13:00-14:30", "2026-03-01T14:30", False),
        ("00:00-24:00", "2026-03-01T00:00", True),
        ("00:00-24:00", "2026-03-01T23:59", True),
        ("22:00-24:00", "2026-03-01T23:59", True),
        ("22:00-24:00", "2026-03-02T00:00", False),
        # Clocks go forward on 2026-03-29 at 2:00, so 3:00 follows 1:59.
        ("02:00-03:00", "2026-03-29T01:59", False),
        ("02:00-03:00", "2026-03-29T03:00", False),
        ("22:00-07:00", "2026-03-29T06:59", True),
        ("22:00-07:00", "2026-03-29T07:00", False),
        ("22:00-07:00", "2026-10-25T06:59", True),
        ("22:00-07:00", "2026-10-25T07:00", False),
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(span, moment, quiet):
    at_night = rules(quiet=(span,), zone="Europe/Berlin")
    assert judged(at_night, now_ms=at(moment)) is (Alert.QUIET if quiet else Alert.RING)


@pytest.mark.parametrize("fold", [0, 1])
def test_of_an_hour_that_comes_twice_both_are_quiet(fold):
    at_night = rules(quiet=("02:00-03:00",), zone="Europe/Berlin")
    moment = at("2026-10-25T02:30", fold=fold)
    assert judged(at_night, now_ms=moment) is Alert.QUIET
    assert judged(at_night, now_ms=moment + (1 - fold) * 3_600_000) is Alert.QUIET


def test_quiet_hours_are_those_of_the_zone():
    assert judged(rules(quiet=("11:00-13:00",), zone="Europe/Berlin"), now_ms=NOON) is Alert.QUIET
    assert judged(rules(quiet=("11:00-13:00",), zone="Asia/Tokyo"), now_ms=NOON) is Alert.RING
    assert judged(rules(quiet=("16:30-16:31",), zone="Asia/Kolkata"), now_ms=NOON) is Alert.QUIET


def test_several_spans_may_be_quiet():
    both = rules(quiet=("22:00-07:00", "12:00-13:00"), zone="Europe/Berlin")
    assert judged(both, now_ms=at("2026-03-01T12:30")) is judged(both, now_ms=at("2026-03-01T23:30")) is Alert.QUIET
    assert judged(both, now_ms=at("2026-03-01T14:30")) is Alert.RING


# --- which rule wins ------------------------------------------------------------------------------

ALL = rules(
    mute=("@news.example",),
    vip=("bob@news.example",),
    quiet=("00:00-24:00",),
    zone="UTC",
    hide=Hide.NOTHING,
    rate="1/1m",
)


@pytest.mark.parametrize(
    ("missing", "alert"),
    [
        ((), Alert.VIP),
        (("vip",), Alert.MUTED),
        (("vip", "mute"), Alert.QUIET),
        (("vip", "mute", "quiet"), Alert.STORM),
        (("vip", "mute", "quiet", "rate"), Alert.RING),
    ],
)
def test_a_vip_beats_mute_quiet_hours_and_rate_in_this_order(missing, alert):
    fewer = read({key: value for key, value in plain(ALL).items() if key not in missing})
    assert judged(fewer, rings=5) is alert


@pytest.mark.parametrize(("rings", "alert"), [(0, Alert.RING), (19, Alert.RING), (20, Alert.STORM), (21, Alert.STORM)])
def test_a_rate_allows_so_many_rings(rings, alert):
    assert judged(rules(rate="20/10m"), rings=rings) is alert


def test_urgency_is_the_senders_opinion_and_beats_nothing():
    urgent = replace(BOB, flags=Flag.URGENT)
    assert judged(rules(quiet=("00:00-24:00",), zone="UTC"), urgent) is Alert.QUIET
    assert judged(rules(mute=("@news.example",)), urgent) is Alert.MUTED
    assert judged(rules(rate="1/1m"), urgent, rings=1) is Alert.STORM


@pytest.mark.parametrize(
    ("spam", "alert"),
    [(SpamAction.MARK, Alert.SPAM), (SpamAction.SUPPRESS, Alert.SUPPRESSED), (SpamAction.DELIVER, Alert.VIP)],
)
def test_the_filter_comes_before_the_vip_since_senders_are_forged(spam, alert):
    assert judged(ALL, replace(BOB, flags=Flag.SUSPICIOUS), spam=spam) is alert
    assert judged(ALL, spam=spam) is Alert.VIP


# --- properties -------------------------------------------------------------------------------------


@given(rule_sets, headers, arrivals)
def test_any_message_gets_an_alert_and_only_the_operator_suppresses(given_rules, header, arrival):
    alert = judged(given_rules, header, **arrival)
    suspicious = bool(header.flags & Flag.SUSPICIOUS)
    assert (alert is Alert.SUPPRESSED) == (suspicious and arrival["spam"] is SpamAction.SUPPRESS)
    assert alert.silent == (alert not in {Alert.RING, Alert.VIP, Alert.UNRULED})


@given(headers, arrivals)
def test_rules_that_cannot_be_read_silence_nothing_but_what_the_operator_does(header, arrival):
    alert = judged(SAFEST, header, **arrival, readable=False)
    assert alert is (Alert.UNRULED if alert not in {Alert.SPAM, Alert.SUPPRESSED} else alert)
    assert not header.flags & Flag.SUSPICIOUS or arrival["spam"] is SpamAction.DELIVER or alert.silent


@given(rule_sets, headers, arrivals)
def test_a_vip_always_rings(given_rules, header, arrival):
    header = replace(header, from_address="boss@example.org", flags=header.flags & ~Flag.SUSPICIOUS)
    favouring = changed(given_rules, Change(vip=("boss@example.org",), mute=("boss@example.org",)))
    assert judged(favouring, header, **arrival) is Alert.VIP


@given(headers, arrivals)
def test_without_rules_all_rings(header, arrival):
    header = replace(header, flags=header.flags & ~Flag.SUSPICIOUS)
    assert judged(Rules(), header, **arrival) is Alert.RING

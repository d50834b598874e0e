"""What rings and how: the rules as a pure function, by tables and by properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Flag, Header
from bridge.rules import rules
from bridge.rules.rules import Alert, Change, Hide, Rules, RulesError, SpamAction

BERLIN = ZoneInfo("Europe/Berlin")
BOB = Header(Flag.ATTACHMENT, "Bob", "bob@news.example", "Code 4711", "Your code is 4711", 9, "shop", 5)


def at(text, *, fold=0):
    """Unix milliseconds of a moment in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp() * 1000)


NOON = at("2026-03-01T12:00")


def judged(given_rules, header=BOB, *, list_id="", now_ms=NOON, rings=0, spam=SpamAction.MARK):
    return rules.judge(given_rules, header, list_id=list_id, now_ms=now_ms, rings=rings, spam=spam)


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
    muting = rules.changed(Rules(), Change(mute=(pattern,)))
    assert judged(muting, header, list_id=list_id) is (Alert.MUTED if matches else Alert.RING)
    favouring = rules.changed(Rules(), Change(vip=(pattern,)))
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
    at_night = Rules(quiet=(span,), zone="Europe/Berlin")
    assert judged(at_night, now_ms=at(moment)) is (Alert.QUIET if quiet else Alert.RING)


@pytest.mark.parametrize("fold", [0, 1])
def test_of_an_hour_that_comes_twice_both_are_quiet(fold):
    at_night = Rules(quiet=("02:00-03:00",), zone="Europe/Berlin")
    moment = at("2026-10-25T02:30", fold=fold)
    assert judged(at_night, now_ms=moment) is Alert.QUIET
    assert judged(at_night, now_ms=moment + (1 - fold) * 3_600_000) is Alert.QUIET


def test_quiet_hours_are_those_of_the_zone():
    assert judged(Rules(quiet=("11:00-13:00",), zone="Europe/Berlin"), now_ms=NOON) is Alert.QUIET
    assert judged(Rules(quiet=("11:00-13:00",), zone="Asia/Tokyo"), now_ms=NOON) is Alert.RING
    assert judged(Rules(quiet=("16:30-16:31",), zone="Asia/Kolkata"), now_ms=NOON) is Alert.QUIET


def test_several_spans_may_be_quiet():
    both = Rules(quiet=("22:00-07:00", "12:00-13:00"), zone="Europe/Berlin")
    assert judged(both, now_ms=at("2026-03-01T12:30")) is judged(both, now_ms=at("2026-03-01T23:30")) is Alert.QUIET
    assert judged(both, now_ms=at("2026-03-01T14:30")) is Alert.RING


# --- which rule wins ------------------------------------------------------------------------------

ALL = Rules(
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
    fewer = Rules.model_validate({key: value for key, value in ALL.model_dump().items() if key not in missing})
    assert judged(fewer, rings=5) is alert


@pytest.mark.parametrize(("rings", "alert"), [(0, Alert.RING), (19, Alert.RING), (20, Alert.STORM), (21, Alert.STORM)])
def test_a_rate_allows_so_many_rings(rings, alert):
    assert judged(Rules(rate="20/10m"), rings=rings) is alert


def test_urgency_is_the_senders_opinion_and_beats_nothing():
    urgent = replace(BOB, flags=Flag.URGENT)
    assert judged(Rules(quiet=("00:00-24:00",), zone="UTC"), urgent) is Alert.QUIET
    assert judged(Rules(mute=("@news.example",)), urgent) is Alert.MUTED
    assert judged(Rules(rate="1/1m"), urgent, rings=1) is Alert.STORM


@pytest.mark.parametrize(
    ("spam", "alert"),
    [(SpamAction.MARK, Alert.SPAM), (SpamAction.SUPPRESS, Alert.SUPPRESSED), (SpamAction.DELIVER, Alert.VIP)],
)
def test_the_filter_comes_before_the_vip_since_senders_are_forged(spam, alert):
    assert judged(ALL, replace(BOB, flags=Flag.SUSPICIOUS), spam=spam) is alert
    assert judged(ALL, spam=spam) is Alert.VIP


# --- how much is told -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hide", "subject", "snippet"),
    [("nothing", "Code 4711", "Your code is 4711"), ("snippet", "Code 4711", ""), ("subject", "…", "")],
)
def test_what_is_hidden_is_not_told_and_the_sender_stays(hide, subject, snippet):
    told = rules.present(Rules(hide=hide), BOB, Alert.RING)
    assert told == replace(BOB, subject=subject, snippet=snippet)


@pytest.mark.parametrize("alert", Alert)
def test_what_does_not_ring_is_flagged_silent(alert):
    told = rules.present(Rules(), BOB, alert)
    assert told == replace(BOB, flags=BOB.flags | Flag.SILENT if alert.silent else BOB.flags)
    assert alert.silent == (alert not in {Alert.RING, Alert.VIP, Alert.UNRULED})


# --- properties -----------------------------------------------------------------------------------

local_parts = st.sampled_from(["bob", "ann", "Ümit", "a b", ""])
domains = st.sampled_from(["news.example", "shop.example", "x", "-", ""])
addresses = st.builds("{}@{}".format, local_parts, domains) | st.text(max_size=30)
list_ids = st.sampled_from(["", "weekly.news.example"]) | st.text(max_size=20)
patterns = st.sampled_from(["bob@news.example", "@news.example", "@shop.example", "weekly.news.example", "ann@x"])
spans = st.builds(
    "{:02}:{:02}-{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 29), st.integers(0, 23), st.integers(30, 59)
)
rule_sets = st.builds(
    Rules,
    mute=st.lists(patterns).map(tuple),
    vip=st.lists(patterns).map(tuple),
    quiet=st.lists(spans, max_size=3).map(tuple),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
    hide=st.sampled_from(Hide),
    rate=st.sampled_from(["", "1/1s", "20/10m", "1000/24h"]),
)
headers = st.builds(
    Header,
    flags=st.integers(0, 2047),
    from_name=st.text(max_size=10),
    from_address=addresses,
    subject=st.text(max_size=10),
    snippet=st.text(max_size=10),
    size=st.integers(0, 2**31),
)


arrivals = st.fixed_dictionaries(
    {
        "list_id": list_ids,
        "now_ms": st.integers(0, 4_102_444_800_000),
        "rings": st.integers(0, 2000),
        "spam": st.sampled_from(SpamAction),
    }
)


@given(rule_sets, headers, arrivals)
def test_any_message_gets_an_alert_and_keeps_who_it_is_from(given_rules, header, arrival):
    alert = judged(given_rules, header, **arrival)
    told = rules.present(given_rules, header, alert)
    suspicious = bool(header.flags & Flag.SUSPICIOUS)
    assert (told.from_name, told.from_address, told.size) == (header.from_name, header.from_address, header.size)
    assert told.flags | Flag.SILENT == header.flags | Flag.SILENT
    assert bool(told.flags & Flag.SILENT) == alert.silent
    assert (alert is Alert.SUPPRESSED) == (suspicious and arrival["spam"] is SpamAction.SUPPRESS)
    assert rules.present(given_rules, told, alert) == told
    assert given_rules.hide is Hide.NOTHING or not told.snippet
    assert given_rules.hide is not Hide.SUBJECT or told.subject == rules.HIDDEN


@given(rule_sets, headers, arrivals)
def test_a_vip_always_rings(given_rules, header, arrival):
    header = replace(header, from_address="boss@example.org", flags=header.flags & ~Flag.SUSPICIOUS)
    favouring = rules.changed(given_rules, Change(vip=("boss@example.org",), mute=("boss@example.org",)))
    assert judged(favouring, header, **arrival) is Alert.VIP


@given(headers, arrivals)
def test_without_rules_all_rings(header, arrival):
    header = replace(header, flags=header.flags & ~Flag.SUSPICIOUS)
    assert judged(Rules(), header, **arrival) is Alert.RING
    assert rules.present(Rules(), header, Alert.RING) == header


@given(rule_sets)
def test_a_document_says_all_of_the_rules(given_rules):
    assert rules.parse(given_rules.model_dump_json()) == given_rules
    assert rules.changed(given_rules, Change()) == given_rules


@given(rule_sets, st.lists(patterns).map(tuple), st.lists(spans).map(tuple))
def test_what_is_added_twice_is_there_once_and_what_is_removed_is_gone(given_rules, added, quiet):
    adding = Change(mute=added, vip=added, quiet=quiet)
    once = rules.changed(given_rules, adding)
    assert rules.changed(once, adding) == once
    removing = Change(remove_mute=added, remove_vip=added, remove_quiet=quiet)
    left = rules.changed(once, removing)
    assert not set(left.mute) & set(added)
    assert not set(left.quiet) & set(quiet)
    assert set(left.mute) | set(added) == set(given_rules.mute) | set(added)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(mute=("bob",)), "mute = 'bob': write an address"),
        (Change(vip=("",)), "vip = '': write an address"),
        (Change(vip=("a@b@",)), "vip = 'a@b@': write an address"),
        (Change(vip=("Boss <boss@x.example>",)), "write an address"),
        (Change(mute=("*@x.example",)), "write an address"),
        (Change(mute=("@",)), "mute = '@': write an address"),
        (Change(mute=("two words.example",)), "write an address"),
        (Change(quiet=("22-7",), zone="UTC"), "quiet = '22-7': write it as 22:00-07:00"),
        (Change(quiet=("24:00-07:00",), zone="UTC"), "hours are"),
        (Change(quiet=("22:60-07:00",), zone="UTC"), "hours are"),
        (Change(quiet=("22:00-24:01",), zone="UTC"), "hours are"),
        (Change(quiet=("07:00-07:00",), zone="UTC"), "00:00-24:00"),
        (Change(quiet=("22:00-07:00",)), "--zone Europe/Berlin"),
        (Change(zone="Europe/Atlantis"), "zone = 'Europe/Atlantis': this system knows no such"),
        (Change(zone="Europe"), "zone = 'Europe': this system knows no such"),
        (Change(zone="../../etc/passwd"), "this system knows no such"),
        (Change(zone="\0"), "this system knows no such"),
        (Change(hide="all"), "hide = 'all'"),
        (Change(rate="20"), "rate = '20': write it as 20/10m"),
        (Change(rate="0/10m"), "1 to 1000 rings"),
        (Change(rate="1001/10m"), "1 to 1000 rings"),
        (Change(rate="20/25h"), "at most a day"),
        (Change(remove_mute=("bob@x.example",)), "there is no 'bob@x.example' to remove"),
        (Change(remove_quiet=("nonsense",)), "remove_quiet|quiet = 'nonsense'"),
        (Change(mute=tuple(f"a{number}@x.example" for number in range(1001))), "mute"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_with_its_cure(change, told):
    with pytest.raises(RulesError, match=told):
        rules.changed(Rules(), change)


@pytest.mark.parametrize(
    "document",
    ["", "null", "[]", "{", '{"mute": "x@y"}', '{"loud": true}', '{"zone": "Nowhere/At_All"}', '{"rate": 5}'],
)
def test_a_document_that_cannot_be_read_is_refused(document):
    with pytest.raises(RulesError, match="cannot be read"):
        rules.parse(document)


def test_spellings_become_one():
    change = Change(
        mute=("B@X.example", " b@x.EXAMPLE", "@X.example."), quiet=("7:00 - 8:00", "07:00-08:00"), zone="UTC"
    )
    assert rules.changed(Rules(), change) == Rules(
        mute=("@x.example", "b@x.example"), quiet=("07:00-08:00",), zone="UTC"
    )
    assert rules.changed(Rules(), Change(rate="20 / 10m")).limit == rules.Rate(20, 600_000)

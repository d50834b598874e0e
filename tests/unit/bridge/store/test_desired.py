"""What a row of the outbox comes to, without a database: what is known is handed over as values."""

from __future__ import annotations

import json

import pytest

from bridge.contract import ids, topics
from bridge.contract.header import fitted, pack_header
from bridge.contract.publication import Kind
from bridge.contract.views import pack_digest
from bridge.model import Header, Storm
from bridge.store import desired
from bridge.store.desired import EVENT_LIFETIME_MS, Known, Mail, Owner, Row, Told

NOON_MS = 1_780_000_000_000
NUMBER = ids.at(NOON_MS)
PAYLOAD = pack_header(Header(0, "Bob", "bob@example.net", "Hi", "there", 5), limit=512)
DAYS = 7
EVERYTHING = frozenset(topics.OPTIONAL_VIEWS)
ALICE = Owner("alice", EVERYTHING)
LIVE = Mail(PAYLOAD, live=True, held=False)


def row(kind, path="alice/x", number=NUMBER):
    return Row(path, kind, 7, 1, number)


def come_to(kind, *, now_ms=NOON_MS, path="alice/x", **known):
    return desired.MESSAGES[kind](row(kind, path), Known(**known), now_ms=now_ms, days=DAYS)


def test_every_kind_has_its_function_and_no_other():
    assert set(desired.MESSAGES) == {kind for kind in Kind if not kind.is_view}
    assert {kind.value for kind in Kind if kind.is_view} == set(topics.STATE_VIEWS)


@pytest.mark.parametrize(("limit", "longest"), [(None, len(PAYLOAD)), (40, 40), (9999, len(PAYLOAD))])
def test_a_header_is_as_long_as_the_devices_of_its_owner_take(limit, longest):
    owner = Owner("alice", EVERYTHING, limit)
    assert len(come_to(Kind.MESSAGE, owner=owner, mail=LIVE).payload) <= longest
    assert come_to(Kind.MESSAGE, owner=owner, mail=LIVE).payload == fitted(PAYLOAD, limit)
    assert b"there" in come_to(Kind.EVENT, owner=owner, mail=LIVE).payload, "an event is for no small device"


@pytest.mark.parametrize("kind", list(desired.MESSAGES))
def test_a_publication_names_the_row_it_came_from(kind):
    found = come_to(kind, owner=ALICE, mail=LIVE)
    assert (found.path, found.kind, found.generation, found.user_id, found.number) == ("alice/x", kind, 7, 1, NUMBER)


@pytest.mark.parametrize(
    ("mail", "payload", "needed"),
    [
        (LIVE, PAYLOAD, True),
        (Mail(PAYLOAD, live=True, held=True), PAYLOAD, True),
        (Mail(PAYLOAD, live=False, held=True), b"", True),
        (Mail(PAYLOAD, live=False, held=False), b"", False),
        (None, b"", True),
    ],
    ids=["live", "live and held", "gone and held", "gone and never told", "gone from the table"],
)
@pytest.mark.parametrize("owner", [ALICE, None], ids=["user", "removed user"])
def test_a_message_is_its_header_or_a_tombstone_or_nothing(mail, payload, needed, owner):
    found = come_to(Kind.MESSAGE, mail=mail, owner=owner)
    assert (found.payload, found.needed, found.retain, found.topic) == (payload, needed, True, "alice/x")


def test_an_event_is_told_on_the_topic_before_the_id_and_is_not_retained():
    found = come_to(Kind.EVENT, path="alice/event/0fx3k2m9a", mail=LIVE, owner=ALICE)
    assert (found.path, found.topic, found.retain, found.needed) == (
        "alice/event/0fx3k2m9a",
        "alice/event",
        False,
        True,
    )
    assert json.loads(found.payload)["subject"] == "Hi"


@pytest.mark.parametrize(
    "known",
    [
        {"mail": LIVE},
        {"mail": LIVE, "owner": Owner("alice", EVERYTHING - {"event"})},
        {"mail": LIVE, "owner": ALICE, "now_ms": NOON_MS + EVENT_LIFETIME_MS},
        {"mail": Mail(PAYLOAD, live=False, held=True), "owner": ALICE},
        {"owner": ALICE},
    ],
    ids=["removed user", "switched off", "no news any more", "seen already", "gone from the table"],
)
def test_an_event_that_is_no_news_only_goes(known):
    found = come_to(Kind.EVENT, **known)
    assert (found.payload, found.needed) == (b"", False)


def test_an_event_is_news_until_its_time_is_over():
    assert come_to(Kind.EVENT, mail=LIVE, owner=ALICE, now_ms=NOON_MS + EVENT_LIFETIME_MS - 1).needed


def test_the_event_of_a_storm_counts_from_its_end_and_needs_no_live_message():
    told = Told(Storm(3, "Bob", None), until_ms=NOON_MS + EVENT_LIFETIME_MS)
    found = come_to(Kind.EVENT, owner=ALICE, told=told, now_ms=NOON_MS + 2 * EVENT_LIFETIME_MS - 1)
    assert json.loads(found.payload)["more"] == 3
    assert not come_to(Kind.EVENT, owner=ALICE, told=told, now_ms=NOON_MS + 2 * EVENT_LIFETIME_MS).needed


def test_a_header_is_forgotten_when_it_leaves_by_age_however_often_it_is_published_anew():
    left = [come_to(Kind.MESSAGE, mail=LIVE, now_ms=NOON_MS + age_ms).expiry_s for age_ms in (0, 1, 3_600_000)]
    assert left == [DAYS * 86_400, DAYS * 86_400, DAYS * 86_400 - 3600]


def test_a_tombstone_and_what_belongs_to_nobody_are_never_forgotten():
    assert come_to(Kind.MESSAGE, mail=Mail(PAYLOAD, live=False, held=True)).expiry_s is None
    assert come_to(Kind.STRAY).expiry_s is None


def test_a_view_is_not_forgotten_since_the_text_would_ring_anew():
    assert {desired.view(row(kind), b"new", text_held=None).expiry_s for kind in Kind if kind.is_view} == {None}


def test_an_event_waits_for_whoever_is_away_as_long_as_its_mail_is_live():
    assert come_to(Kind.EVENT, mail=LIVE, owner=ALICE, now_ms=NOON_MS + 60_000).expiry_s == DAYS * 86_400 - 60
    told = Told(Storm(3, "Bob", None), until_ms=NOON_MS + 60_000)
    assert come_to(Kind.EVENT, owner=ALICE, told=told, now_ms=NOON_MS + 60_000).expiry_s == DAYS * 86_400


def test_a_stray_is_cleared_whatever_it_was():
    found = come_to(Kind.STRAY, mail=LIVE, owner=ALICE)
    assert (found.payload, found.needed, found.retain) == (b"", True, True)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.is_view])
@pytest.mark.parametrize("payload", [b"new", b""])
@pytest.mark.parametrize("text_held", [b"new", b"", b"old", None])
def test_a_view_is_published_unless_it_is_the_text_that_is_held_already(kind, payload, text_held):
    found = desired.view(row(kind, number=0), payload, text_held=text_held)
    assert found.needed == (kind is not Kind.TEXT or payload != text_held)
    assert not found.needed or (found.payload, found.retain) == (payload, True)


def test_the_digest_cannot_be_switched_off():
    nothing = frozenset[str]()
    on = [kind for kind in Kind if kind.is_view and desired.view_is_on(kind, nothing)]
    assert on == [Kind.BOX]
    assert all(desired.view_is_on(kind, EVERYTHING) for kind in Kind if kind.is_view)


def test_what_views_say():
    assert desired.unread(12) == b"12"
    assert desired.box([NUMBER]) == pack_digest([ids.encode(NUMBER)])
    assert json.loads(desired.last(NUMBER, PAYLOAD))["id"] == ids.encode(NUMBER)
    assert desired.text(PAYLOAD, None).decode().startswith("Bob: Hi")
    assert desired.text(None, None) == b""
    assert "3 more" in desired.text(None, Storm(3, None, None)).decode()

"""What `postbell trace` says of a mail, whatever became of it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bridge.cli.story import DELIVERIES, PUSHES, VERDICTS, Story, moment
from bridge.cli.whereabouts import Whereabouts
from bridge.contract import ids
from bridge.kept import PushResult
from bridge.model import Header
from bridge.rules.alert import Alert
from bridge.store.notifications import Rung
from bridge.store.pairing import DeviceListing
from bridge.store.queues import DeliveryState
from bridge.store.trace import Handover, Traced
from tests.support.stored import NOON_MS

RANG = Traced(
    user="alice",
    number=ids.at(NOON_MS),
    header=Header(0, "Ada", "ada@example.org", "Plan", "See", 99),
    message_id="<1@example.org>",
    size=99,
    seen=False,
    live=True,
    silent=False,
    has_body=True,
    arrival=Handover("ada@example.org", "alice+x@example.org", "192.0.2.7", "ESMTPS"),
    alert="ring",
    reason="",
    told_ms=NOON_MS + 20,
    seen_ms=None,
    seen_by=None,
    waits=False,
)
PHONE = DeviceListing("alice", "phone", "alice.phone", NOON_MS, None)


def told(mail=RANG, *devices, **changes):
    return "\n".join(Story(dataclasses.replace(mail, **changes), devices).lines())


def test_a_mail_that_rang():
    text = told()
    head, arrived, kept, verdict, published, now = text.splitlines()
    assert head == f"{ids.encode(RANG.number)} for alice: Plan, from Ada <ada@example.org>"
    at = moment(NOON_MS)
    assert arrived == f"{at}  MAIL FROM:<ada@example.org> RCPT TO:<alice+x@example.org>, ESMTPS from 192.0.2.7"
    assert kept == f"{at}  kept, 99 bytes, answered 250; Message-ID <1@example.org>; the mail itself is there"
    assert verdict.strip() == "it rings"
    assert published == f"{moment(NOON_MS + 20)}  the broker has its header"
    assert now.strip() == "it is shown on devices"


@pytest.mark.parametrize("alert", Alert)
def test_every_verdict_is_told_with_its_rule(alert):
    assert f"{VERDICTS[alert]} (rule: mute @x)" in told(alert=alert.value, reason="mute @x")
    assert f"{VERDICTS[alert]}\n" in told(alert=alert.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"waits": True, "told_ms": None}, "it is shown; its header waits in the outbox"),
        ({"live": False}, "newer mail pushed it out, or it is too old"),
        ({"live": False, "waits": True}, "(retain.*); that waits in the outbox"),
        ({"live": False, "seen": True, "seen_ms": NOON_MS + 5000, "seen_by": "phone"}, "45.000Z  seen on alice.phone"),
        ({"live": False, "seen": True}, "seen; where was not noted"),
        ({"live": False, "seen": True}, "it is not shown any more, since it was seen"),
        ({"alert": "suppressed", "seen": True, "live": False, "told_ms": None}, "it is on no device"),
        ({"arrival": None}, "handed in; how was not noted"),
        ({"alert": None}, "it rings; why was not noted"),
        ({"alert": None, "silent": True}, "silent; why was not noted"),
        (
            {"arrival": Handover("", "a@example.org", "", "LMTP")},
            "MAIL FROM:<> RCPT TO:<a@example.org>, LMTP from this",
        ),
        ({"has_body": False, "message_id": ""}, "no Message-ID; the mail itself is gone (body.*)"),
        ({"header": Header(0, "", "a@example.org", "", "", 9)}, "for alice: (no subject), from <a@example.org>"),
    ],
)
def test_what_else_can_have_become_of_it(changes, said):
    assert said in told(**changes)


def test_what_a_stranger_wrote_moves_no_cursor():
    text = told(arrival=Handover("a\u202e\x9b@example.org", "b@example.org", "", "LMTP"), message_id="<\x1b[2J@x>")
    assert all(character.isprintable() or character == "\n" for character in text)


def test_each_device_is_told_with_how_far_it_has_come():
    here = Whereabouts(PHONE, None, told=True, now_ms=NOON_MS)
    heard = dataclasses.replace(PHONE, heard_ms=NOON_MS)
    elsewhere = Whereabouts(heard, None, told=False, now_ms=NOON_MS)
    nowhere = Whereabouts(PHONE, None, told=False, now_ms=NOON_MS)
    text = told(
        RANG, (here, DeliveryState.NO_SESSION), (elsewhere, DeliveryState.UNKNOWN), (nowhere, DeliveryState.UNKNOWN)
    )
    never, last, unknown = [line.strip() for line in text.splitlines()[-3:]]
    assert never == "alice.phone has never been here"
    assert last == f"alice.phone (last seen {moment(NOON_MS)}) only its broker knows"
    assert unknown == "alice.phone (not known where) only its broker knows"
    assert DELIVERIES.keys() == set(DeliveryState)


def test_programs_get_the_same():
    online = Whereabouts(PHONE, None, told=False, now_ms=NOON_MS)
    facts = Story(RANG, ((online, DeliveryState.WAITING),)).as_json()
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["mail_from"], facts["peer"], facts["published"]) == (
        "ada@example.org",
        "192.0.2.7",
        moment(NOON_MS + 20),
    )
    assert facts["devices"] == [
        {"device": "phone", "online": None, "last_seen": None, "delivery": "waiting", "push": None}
    ]
    bare = Story(dataclasses.replace(RANG, arrival=None), ()).as_json()
    assert (bare["mail_from"], bare["rcpt_to"], bare["peer"], bare["protocol"]) == (None,) * 4


@pytest.mark.parametrize("result", PushResult)
def test_what_became_of_ringing_a_device_is_told(result):
    device = Whereabouts(PHONE, None, told=False, now_ms=NOON_MS)
    story = Story(RANG, ((device, DeliveryState.UNKNOWN),), {"phone": Rung(result, NOON_MS + 500, 1)})
    assert list(story.lines())[-1] == f"{moment(NOON_MS + 500)}  alice.phone {PUSHES[result]}"
    [told_of] = story.as_json()["devices"]
    assert told_of["push"] == {"result": result.value, "at": moment(NOON_MS + 500), "tries": 1}


def test_a_ring_that_waits_is_told():
    device = Whereabouts(PHONE, None, told=False, now_ms=NOON_MS)
    story = Story(RANG, ((device, DeliveryState.UNKNOWN),), {"phone": Rung(None, None, 3)})
    assert list(story.lines())[-1].strip() == "alice.phone is to be rung by push, and that waits (tries: 3)"
    assert story.as_json()["devices"][0]["push"] == {"result": "waiting", "at": None, "tries": 3}

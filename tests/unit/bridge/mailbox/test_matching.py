"""Which message a mail of a folder is."""

from __future__ import annotations

from bridge.contract import ids
from bridge.mailbox.matching import NEAR_MS, TRACE_BYTES, Candidate, Sighting, match

NOON_MS = 1_780_000_000_000


def mail(message_id="<a@x>", size=1000, arrived_ms=NOON_MS):
    return Sighting(uid=1, seen=False, message_id=message_id, size=size, arrived_ms=arrived_ms)


def message(message_id="<a@x>", size=1000, received_ms=NOON_MS):
    return Candidate(number=ids.at(received_ms), message_id=message_id, size=size, seen=False, by=None)


def test_it_is_the_one_with_its_message_id_whatever_its_size():
    there: Candidate = message(size=10_000, received_ms=NOON_MS - 10**9)
    assert match(mail(), [message("<b@x>"), there]) is there
    assert match(mail(), [message("<b@x>"), message("")]) is None


def test_of_several_it_is_the_one_that_is_nearest():
    near, far = message(size=1100), message(size=5000)
    assert match(mail(), [far, near]) is near
    sooner, later = message(received_ms=NOON_MS + 1000), message(received_ms=NOON_MS + 9000)
    assert match(mail(), [later, sooner]) is sooner


def test_without_a_message_id_size_and_time_have_to_speak_for_exactly_one():
    other = message("", size=1000 + TRACE_BYTES, received_ms=NOON_MS + NEAR_MS)
    assert match(mail(""), [other, message("<a@x>")]) == other
    assert match(mail(""), [other, message("")]) is None, "either could be it"
    assert match(mail(""), [message("", size=1001 + TRACE_BYTES)]) is None
    assert match(mail(""), [message("", received_ms=NOON_MS + NEAR_MS + 1)]) is None

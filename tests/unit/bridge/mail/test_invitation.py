"""Invitations: zones of any spelling, alarms that are not the event, ends by duration, and how often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import invitation
from tests.support.processor import least_s

ALARM = "BEGIN:VALARM\nSUMMARY:Wake up\nDURATION:PT5M\nTRIGGER:-PT15M\nDTSTART:20200101T000000Z\nEND:VALARM\n"


def described(*lines: str) -> str:
    event = "\n".join(("BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""))
    return invitation.describe(event.replace("\n", "\r\n").encode())


@pytest.mark.parametrize(
    ("parameters", "zone"),
    [
        (";TZID=Europe/Berlin", " Europe/Berlin"),
        (';TZID="(UTC+01:00) Amsterdam, Berlin, Bern"', " (UTC+01:00) Amsterdam, Berlin, Bern"),
        (";TZID=(UTC+01:00) Amsterdam, Berlin", " (UTC+01:00) Amsterdam, Berlin"),
        (';VALUE=DATE-TIME;TZID="W. Europe Standard Time";X-A="b:c"', " W. Europe Standard Time"),
        (";TZID=/mozilla.org/20050126_1/Europe/Berlin", " Europe/Berlin"),
        (";TZID=/freeassociation.sourceforge.net/America/Argentina/Ushuaia", " America/Argentina/Ushuaia"),
        (";TZID=/GMT+2", " GMT+2"),
        (f';TZID="{"x" * 100}"', f" {'x' * 64}"),
        ("", ""),
    ],
)
def test_a_zone_is_told_as_it_is_called(parameters, zone):
    lines = (f"DTSTART{parameters}:20250410T110000", f"DTEND{parameters}:20250410T120000", "LOCATION:Room 5")
    assert described("SUMMARY;LANGUAGE=de-DE:Sync", *lines) == f"Sync, Thu 2025-04-10 11:00–12:00{zone}, Room 5"


@pytest.mark.parametrize("alarm", [ALARM, ALARM.replace("END:VALARM\n", "END:valarm\n"), ALARM + ALARM])
def test_an_alarm_is_not_the_event(alarm):
    said = "Sync, Thu 2025-04-10 11:00 UTC"
    assert described(alarm.rstrip(), "SUMMARY:Sync", "DTSTART:20250410T110000Z") == said
    assert described("SUMMARY:Sync", "DTSTART:20250410T110000Z", alarm.rstrip()) == said
    assert described("SUMMARY:Sync", "DTSTART:20250410T110000Z", alarm.partition("END")[0].rstrip()) == said


@pytest.mark.parametrize(
    ("start", "duration", "said"),
    [
        ("20250410T110000", "PT45M", "Thu 2025-04-10 11:00–11:45"),
        ("20250410T110000", "PT1H30M", "Thu 2025-04-10 11:00–12:30"),
        ("20250410T110000", "P1DT1H", "Thu 2025-04-10 11:00–2025-04-11 12:00"),
        ("20250410", "P2D", "Thu 2025-04-10–2025-04-11"),
        ("20250410", "P1W", "Thu 2025-04-10–2025-04-16"),
        ("20250410", "P1D", "Thu 2025-04-10"),
        ("20250410T110000", "-PT45M", "Thu 2025-04-10 11:00"),
        ("20250410T110000", "PT", "Thu 2025-04-10 11:00"),
        ("99991231T110000", "P9999W", "Fri 9999-12-31 11:00"),
    ],
)
def test_a_duration_is_an_end(start, duration, said):
    assert described(f"DTSTART:{start}", f"DURATION:{duration}") == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=WEEKLY;BYDAY=MO", "weekly"),
        ("INTERVAL=1;FREQ=DAILY", "daily"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=5", "every 2 weeks"),
        ("freq=monthly;interval=3", "every 3 months"),
        ("FREQ=YEARLY;UNTIL=20300101", "yearly"),
        ("FREQ=SECONDLY", ""),
        ("BYDAY=MO", ""),
    ],
)
def test_a_recurrence_is_said(rule, said):
    expected = ", ".join(filter(None, ("Sync", "Thu 2025-04-10 11:00 UTC", said, "Room 5")))
    assert described(f"RRULE:{rule}", "LOCATION:Room 5", "DTSTART:20250410T110000Z", "SUMMARY:Sync") == expected


def test_of_several_events_the_one_that_recurs_is_told():
    once = "SUMMARY:Moved\nRECURRENCE-ID:20250417T110000Z\nDTSTART:20250417T130000Z\nEND:VEVENT\nBEGIN:VEVENT"
    assert described(once, "SUMMARY:Sync", "DTSTART:20250410T110000Z", "RRULE:FREQ=WEEKLY").startswith("Sync, Thu")
    alone = "SUMMARY:Moved\nRECURRENCE-ID:20250417T110000Z\nDTSTART:20250417T130000Z"
    assert described(alone) == "Moved, Thu 2025-04-17 13:00 UTC"


@given(
    st.lists(
        st.sampled_from(
            ["BEGIN:VEVENT\n", "END:", "VALARM\n", "DTSTART", ";TZID=", ":", '"', "20250410T1100", "SUMMARY:x\n"]
        )
    )
)
def test_no_calendar_raises(pieces):
    assert isinstance(invitation.describe("".join(pieces).encode()), str)


@pytest.mark.parametrize(
    "unit", ["BEGIN:VEVENT\n", "BEGIN:A\n", "DTSTART;", "DTSTART:", "SUMMARY;a=b", ';TZID="', "END:VALARM\n"]
)
def test_a_long_calendar_is_read_at_once(unit):
    data = ("BEGIN:VEVENT\n" + unit * 65_536)[:65_536].encode()
    assert least_s(lambda: invitation.describe(data), bound_s=0.1) < 0.1

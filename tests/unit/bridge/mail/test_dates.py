"""The sender's Date: the forms that are read, and what is none."""

from __future__ import annotations

import pytest

from bridge.mail import dates


@pytest.mark.parametrize(
    ("field", "date"),
    [
        (b"Tue, 3 Jun 2025 10:11:12 +0200", 1748938272),
        (b"3 Jun 25 10:11 +0200", 1748938260),
        (b"Tue Jun  3 10:11:12 2025", 1748945472),
        (b"2025-06-03T10:11:12+02:00", 1748938272),
        (b"20250603T101112Z", 1748945472),
        (b"Tue Jun 03 2025 10:11:12 GMT+0200 (Central European Summer Time)", 1748938272),
        (b"Tue, 3 Jun 2025 10:11:12 GMT-0330", 1748958072),
        (b"Tue, 3 Jun 2025 10:11:12 UTC+02:00", 1748938272),
        (b"Tue, 3 Jun 2025 10:11:12 GMT+2", 1748938272),
        (b"Tue, 3 Jun 2025 10:11:12 GMT", 1748945472),
        (b"Tue, 3 Jun 2025 10:11:12 UTC +0200", 1748938272),
        (b"2025-W23-2T10:11:12Z", 1748945472),
        (b"2025-06-03T24:00:00Z", None),
        (b"20250603T240000Z", None),
        (b"2025-06-03T23:24:00Z", 1748993040),
        (b"Tue, 3 Jun 2025 10:11:12 NOWHERE", 1748945472),
        (b"Tue, 31 Feb 2025 10:11:12 +0000", None),
        (b"Tue, 3 Jun 99999 10:11:12 +0200", None),
        (b"Tue, 3 Jun 1812 10:11:12 +0000", None),
        (b"Thu, 1 Jan 2099 00:00:00 +0000", 4070908800),
        (b"Fri, 1 Jan 2100 00:00:00 +0000", None),
        (b"Sat, 31 Dec 2016 23:59:60 +0000", 1483228799),
        (b"Tue, 3 Jun 2025 10:11:12 +99999999999999", None),
        (b"+0200", None),
        (b"9" * 5000, None),
        (b"\xff\x00", None),
        (b"", None),
    ],
)
def test_date(field, date):
    assert dates.epoch(field) == date

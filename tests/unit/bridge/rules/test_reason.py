from __future__ import annotations

import pytest

from bridge.model import Header
from bridge.rules.alert import Alert
from bridge.rules.reason import reason
from tests.unit.bridge.rules.strategies import rules

RULES = rules(
    mute=["@example.net", "news.example.net"],
    vip=["boss@example.org"],
    quiet=["22:00-07:00", "12:00-13:00"],
    zone="Europe/Berlin",
    rate="20/10m",
)
NOON_IN_BERLIN_MS = 1_780_000_000_000 // 86_400_000 * 86_400_000 + 10 * 3_600_000 + 1_800_000


@pytest.mark.parametrize(
    ("alert", "sender", "said"),
    [
        (Alert.RING, "a@example.com", ""),
        (Alert.UNRULED, "a@example.com", ""),
        (Alert.SPAM, "a@example.net", ""),
        (Alert.SUPPRESSED, "a@example.net", ""),
        (Alert.VIP, "Boss@example.org", "vip boss@example.org"),
        (Alert.MUTED, "a@example.net", "mute @example.net, news.example.net"),
        (Alert.QUIET, "a@example.com", "quiet 12:00-13:00 Europe/Berlin"),
        (Alert.STORM, "a@example.com", "rate 20/10m"),
    ],
)
def test_the_rule_is_named_as_its_user_wrote_it(alert, sender, said):
    header = Header(0, "", sender, "", "", 9)
    assert reason(alert, RULES, header, list_id="news.example.net", now_ms=NOON_IN_BERLIN_MS) == said

"""Which folders somebody has to look after."""

from __future__ import annotations

import pytest

from bridge.imap.standing import PASSES_MS, FollowState, Standing

NOW_MS = 10**12


@pytest.mark.parametrize(
    ("state", "reason", "for_ms", "down"),
    [
        (FollowState.FOLLOWING, "", 10**11, False),
        (FollowState.REFUSED, "no", 0, True),
        (FollowState.CONNECTING, "", 10**11, False),
        (FollowState.CONNECTING, "no route", PASSES_MS, False),
        (FollowState.CONNECTING, "no route", PASSES_MS + 1, True),
    ],
)
def test_a_refused_login_is_down_and_a_server_that_is_away_for_long(state, reason, for_ms, down):
    assert Standing(state=state, reason=reason, since_ms=NOW_MS - for_ms).down(NOW_MS) is down

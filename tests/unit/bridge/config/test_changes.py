"""What differs between two configurations."""

from __future__ import annotations

from pathlib import Path

from bridge.config import changes
from tests.support.configured import configured

NOW = configured(state_dir=Path("/var/lib/postbell"))


def test_nothing_differs_from_the_same():
    found = changes.between(NOW, configured(state_dir=Path("/var/lib/postbell")), live=())
    assert (found.changed, found.needs_restart, found.settings) == ((), (), NOW)


def test_what_is_live_holds_and_the_rest_stays():
    wanted = configured(
        state_dir=Path("/elsewhere"),
        retain={"count": 7, "days": 3},
        smtp={"listen": "127.0.0.1:2626", "max_size": "1 MiB"},
    )
    found = changes.between(NOW, wanted, live={"retain.count", "smtp.max_size"})
    assert found.changed == ("smtp.max_size", "retain.count")
    assert found.needs_restart == ("state_dir", "smtp.listen", "retain.days")
    holds = found.settings
    assert (holds.state_dir, holds.smtp.listen, holds.retain.days) == (
        NOW.state_dir,
        NOW.smtp.listen,
        NOW.retain.days,
    )
    assert (holds.smtp.max_size, holds.retain.count) == (2**20, 7)
    again = changes.between(holds, wanted, live={"retain.count", "smtp.max_size"})
    assert (again.changed, again.needs_restart) == ((), found.needs_restart), "what waits is told each time"


def test_the_brokers_own_keys_are_no_concern_of_the_bridge():
    wanted = configured(state_dir=NOW.state_dir, limits={"packet": 4096}, broker={"session_days": 3})
    assert changes.between(NOW, wanted, live=()).needs_restart == ()

"""A mail through two bridges at once, and bridges that write the same boxes: a few of many."""

from __future__ import annotations

import pytest

from tests.bench import retries
from tests.bench.result import MiscountError
from tests.bench.several_bridges import several

pytestmark = pytest.mark.timeout(300)


def test_a_mail_through_two_bridges_at_once_is_one_and_writers_of_the_same_boxes_go_in_turn():
    with several(2, addresses=0, log="warning") as running:
        retries.pairs(running, 40)
        retries.writers(running, 8, 10)
        running.store.rows("UPDATE message SET number = -number WHERE message_id LIKE '%-3-writer%' RETURNING 1")
        with pytest.raises(MiscountError, match="in_order"):
            retries.require_order(running, 8, 10)

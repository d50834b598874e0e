"""The views of a user, from the database's text and back."""

from __future__ import annotations

import itertools

import pytest

from bridge.contract import topics
from bridge.store import views

SETS = [
    set(chosen)
    for count in range(len(topics.OPTIONAL_VIEWS) + 1)
    for chosen in itertools.combinations(topics.OPTIONAL_VIEWS, count)
]


@pytest.mark.parametrize("switched_on", SETS, ids=lambda chosen: "+".join(sorted(chosen)) or "none")
def test_any_set_of_views_comes_back_as_it_was(switched_on):
    assert views.parse(views.write(switched_on)) == switched_on


def test_they_are_written_in_the_contracts_order():
    assert views.write({"event", "last"}) == "last,event"
    assert views.write(views.ALL) == ",".join(topics.OPTIONAL_VIEWS)
    assert views.parse("") == frozenset()

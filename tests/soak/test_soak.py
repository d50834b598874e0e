"""A bounded part of the soak, and how its figures are judged."""

from __future__ import annotations

import pytest

from tests.soak.figures import Sample, trends
from tests.soak.run import soak


@pytest.mark.timeout(300)
def test_nothing_is_lost_while_all_that_an_operator_does_is_done(tmp_path):
    said = []
    result = soak(tmp_path, seconds=8, rate=20, restores=1, say=said.append)
    assert result.wrong == []
    done = {"reload", "certificates", "backup", "device", "user", "password", "migration", "restore"}
    assert result.chores.keys() == done
    assert result.accepted > 20
    assert result.shown == result.accepted
    assert said


def life(rss, descriptors=lambda _: 20):
    return [Sample("bridge", 7, at, rss(at), descriptors(at), 9) for at in range(100)]


def test_what_stays_is_flat_and_what_comes_and_goes_as_well():
    [still] = trends(life(lambda _: 50_000))
    assert still.flat
    [busy] = trends(life(lambda at: 50_000 + at % 10 * 900, lambda at: 20 + at % 5))
    assert busy.flat
    [warming] = trends(life(lambda at: min(at, 20) * 1000 + 30_000))
    assert warming.flat


def test_what_grows_is_found():
    [memory] = trends(life(lambda at: 50_000 + 200 * at))
    assert not memory.flat
    [descriptors] = trends(life(lambda _: 50_000, lambda at: 20 + at // 10))
    assert not descriptors.flat
    assert "GROWS" in str(memory)


def test_a_process_that_was_hardly_looked_at_says_nothing():
    assert trends(life(lambda _: 50_000)[:6]) == []

"""Two sides of a mailbox agree in the end whatever dies, and a bridge that takes its own words for others' is found."""

from __future__ import annotations

import pytest

from tests.crash.mailbox import Story

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]


@pytest.mark.parametrize("seed", [1, 2])
def test_both_sides_agree_in_the_end(tmp_path, seed):
    story = Story(tmp_path, seed=seed)
    assert story.run(60) == []
    assert len(story.fates) >= 6


def test_an_own_word_that_comes_back_is_nobodys_and_a_bridge_that_believes_it_is_found(tmp_path):
    for mutation in ("", "no_echo_suppression"):
        (tmp_path / f"bridge{mutation}").mkdir()
        findings = Story(tmp_path / f"bridge{mutation}", seed=1, mutation=mutation).run_echo()
        told = [finding for finding in findings if "number 3 is True, and the last word was another" in finding]
        assert bool(told) == bool(mutation), findings


def test_mail_that_is_fetched_comes_once_whatever_dies(tmp_path):
    story = Story(tmp_path, seed=1)
    assert story.run_source(12) == []
    assert story.kills >= 4

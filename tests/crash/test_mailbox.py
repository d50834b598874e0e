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


def test_a_bridge_that_takes_its_own_words_for_those_of_a_mail_client_is_found(tmp_path):
    """It is found where a kill falls between word and answer, which is not in every story."""
    for seed in (3, 1, 2, 4):
        (tmp_path / str(seed)).mkdir()
        findings = Story(tmp_path / str(seed), seed=seed, mutation="no_echo_suppression").run(60)
        if any("the last word was another" in finding for finding in findings):
            return
    pytest.fail("none of the stories shows it")

"""Replies and forwards of fifteen mail programs in eighty languages, of which no word is known."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import correspondence, voices
from tests.unit.bridge.mail.clean import read

SEED = 11


def told(letter, parts):
    return read(letter.message(parts)).snippet == " ".join(letter.said.split())


def test_the_first_words_of_replies_and_forwards_come_out(capsys):
    chance = random.Random(SEED)
    tried, right = Counter(), Counter()
    for language in voices.LANGUAGES:
        for program in correspondence.PROGRAMS:
            for kind in correspondence.KINDS:
                letter, parts = (
                    correspondence.letter(program, kind, language, chance),
                    chance.choice(correspondence.PARTS),
                )
                tried[program, kind] += 1
                right[program, kind] += told(letter, parts)
    score = right.total() / tried.total()
    with capsys.disabled():
        print(f" {score:.2%} of {tried.total()}", end="")  # noqa: T201 - the score is there to be read
    assert len(voices.LANGUAGES) >= 25
    assert score >= 0.95
    assert [kind for kind in tried if right[kind] < 0.9 * tried[kind]] == []


@pytest.mark.parametrize("order", voices.ORDERS)
def test_an_attribution_is_left_out_in_whatever_order(order):
    chance = random.Random(SEED)
    wrong = []
    for language in voices.LANGUAGES:
        voice = voices.speaking(language, chance)
        line = voices.wrapped(voices.ORDERS[order](voice), chance)
        body = f"{voice.own}\n\n{line}\n\n{correspondence.quoted(voice.asked)}"
        letter = correspondence.Letter(f"Re: {voice.topic}", body, "", voice.own)
        wrong += [] if told(letter, "plain") else [body]
    assert len(wrong) <= 0.05 * len(voices.LANGUAGES), wrong


@given(
    language=st.sampled_from(voices.LANGUAGES),
    program=st.sampled_from(list(correspondence.PROGRAMS)),
    parts=st.sampled_from(correspondence.PARTS),
    seed=st.integers(0, 10**6),
)
def test_a_forward_never_says_what_stands_in_its_header_block(language, program, parts, seed):
    letter = correspondence.letter(program, "forward", language, random.Random(seed))
    assert "per@example.net" not in read(letter.message(parts)).snippet

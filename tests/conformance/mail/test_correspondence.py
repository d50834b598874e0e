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
SOME = voices.LANGUAGES[::3]
"""The property below takes any of them."""


def told(letter, parts):
    return read(letter.message(parts)).snippet == " ".join(letter.said.split())


def test_the_first_words_of_replies_and_forwards_come_out(capsys):
    chance = random.Random(SEED)
    tried, right = Counter(), Counter()
    for language in SOME:
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
    assert len(SOME) >= 25
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


PROSE = {
    "a journey": lambda v, w: (
        f"{v.own}\n{w[0]}: {w[3]}\n{w[1]}: {w[2]}\n{v.labels[0]}: {v.both('full')}\n{v.labels[1]}: 42"
    ),
    "an appointment": lambda v, w: f"{v.own}\n\n{v.other_verb} {v.both('full')}:\n- {w[1]}\n- {w[2]}",
    "a date": lambda v, w: f"{w[0]} {v.date('full')} {v.time()} {w[1]}.\n\n{v.own}",
    "an address": lambda v, w: f"{w[0]} bob@example.org {w[1]}:\n{w[2]}\n\n{v.own}",
    "a remark": lambda v, w: f"{v.own}\n\n{w[0]}: {w[1]}",
    "a contact": lambda v, w: (
        f"{v.own}\n\n{v.labels[0]}: {w[1]}\n{v.labels[1]}: 0123 4567\n{v.labels[2]}: bob@example.org"
    ),
}
"""What people write that looks a little like a header block or an attribution; of a voice and four words."""


@pytest.mark.parametrize("answered", ["", "On Mon, 2 Jun 2025 at 10:00 Per <per@example.net> wrote:\n\n> x"])
@pytest.mark.parametrize("kind", PROSE)
def test_what_somebody_writes_stays(kind, answered):
    chance = random.Random(SEED)
    for language in voices.LANGUAGES:
        voice, words = voices.speaking(language, chance), [voices.speaking(language, chance).me for _ in range(4)]
        own = PROSE[kind](voice, words)
        letter = correspondence.Letter(f"Re: {voice.topic}", f"{own}\n\n{answered}", "", own)
        if len(" ".join(own.split())) < 200:
            assert told(letter, "plain"), own


@given(
    language=st.sampled_from(voices.LANGUAGES),
    program=st.sampled_from(list(correspondence.PROGRAMS)),
    parts=st.sampled_from(correspondence.PARTS),
    seed=st.integers(0, 10**6),
)
def test_a_forward_never_says_what_stands_in_its_header_block(language, program, parts, seed):
    letter = correspondence.letter(program, "forward", language, random.Random(seed))
    assert "per@example.net" not in read(letter.message(parts)).snippet

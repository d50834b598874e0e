"""An answer of any length fits into what can be told at once, piece by piece."""

from __future__ import annotations

import json

import pytest

from bridge.shards.asking import NodeAnswer, UnansweredError, pieces, require_all


@pytest.mark.parametrize("length", [0, 10, 20_000])
def test_pieces_come_to_the_whole_answer(length):
    answer = NodeAnswer("a", frozenset({3, 7}), {"folders": ['"\\ü' * length]})
    told = pieces("token", answer)
    assert max(map(len, told)) < 8000
    said = [json.loads(each) for each in told]
    assert {(each["token"], each["node"]) for each in said} == {("token", "a")}
    assert [each["last"] for each in said] == [False] * (len(said) - 1) + [True]
    whole = json.loads("".join(each["piece"] for each in said))
    assert whole == {"shards": [3, 7], "answer": answer.answer}


def test_answers_have_to_be_about_everybody():
    half = NodeAnswer("a", frozenset(range(32)), {})
    require_all([half, NodeAnswer("b", frozenset(range(32, 64)), {})])
    with pytest.raises(UnansweredError, match="32 of 64 shards"):
        require_all([half])

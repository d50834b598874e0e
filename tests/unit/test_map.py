"""docs/map.md is what the docstrings say, and each says something."""

from __future__ import annotations

import pytest

from tests.support import module_map, source


def test_the_page_is_what_the_docstrings_say():
    assert module_map.PAGE.read_text("utf-8") == module_map.page(), "run `make map`"


@pytest.mark.parametrize("module", source.modules())
def test_each_module_says_in_one_sentence_what_it_is(module):
    sentence = module_map.sentence(module)
    assert 15 <= len(sentence) <= 125, sentence
    assert sentence.endswith(".")
    assert not sentence.endswith("..")

"""docs/map.md is what the docstrings say, and each says something."""

from __future__ import annotations

from tests.support import module_map, source


def test_the_page_is_what_the_docstrings_say():
    assert module_map.PAGE.read_text("utf-8") == module_map.page(), "run `make map`"


def test_each_module_says_in_one_sentence_what_it_is():
    sentences = {module: module_map.sentence(module) for module in source.modules()}
    wrong = {
        module: said
        for module, said in sentences.items()
        if not 15 <= len(said) <= 125 or not said.endswith(".") or said.endswith("..")
    }
    assert wrong == {}

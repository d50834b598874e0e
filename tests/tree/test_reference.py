"""docs/configuration.md and the sample file are what the settings say, and the sample says what no file says."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from bridge.config import brokers, keys, loading, sample
from bridge.config.brokers_keys import BROKERS_KEYS
from bridge.config.settings import Settings
from broker import checking, describing
from tests.support import reference


@pytest.fixture(scope="module", autouse=True)
def _in_this_process():
    """The broker tells of its keys here; that its program does as well is shown where keys are (test_keys.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brokers, "described", lambda: json.loads(json.dumps(describing.describe(), default=str)))
        patch.setattr(brokers, "shown", lambda raw: json.loads(json.dumps(told_of(raw), default=str)))
        yield


def told_of(raw):
    return describing.show(checking.settings(raw))


@pytest.fixture(scope="module")
def chapters(_in_this_process):
    return keys.chapters()


def every(chapters):
    return [key for chapter in chapters for key in chapter.keys]


def test_the_page_and_the_sample_are_what_the_settings_say(chapters):
    assert reference.PAGE.read_text("utf-8") == reference.page(), "run `make map`"
    assert reference.SAMPLE.read_text("utf-8") == sample.sample(chapters), "run `make map`"


def test_every_key_of_both_programs_is_told_once_with_its_meaning_and_a_type_that_is_explained(chapters):
    told = [key.name for key in every(chapters)]
    theirs = {f"{section}.{key}" for section, names in BROKERS_KEYS.items() for key in names}
    assert sorted(told) == sorted({*keys.shown(Settings(), {})[1], *theirs})
    for key in every(chapters):
        assert key.meaning.endswith("."), key.name
        assert key.meaning[0].isupper(), key.name
        assert key.kind in keys.KINDS or key.kind.startswith('"'), key.name
    assert {key.kind for key in every(chapters)} >= keys.KINDS.keys(), "a type that no key has"


def test_what_both_programs_read_means_the_same_to_both(chapters):
    told = {key.name: key for key in every(chapters)}
    for each in describing.describe():
        assert told[each["name"]].meaning == each["meaning"]


def read(text, tmp_path):
    """What bridge and broker make of a file's text; what each leaves to the other is left out."""
    path = tmp_path / "postbell.toml"
    path.write_text(text, "utf-8")
    bridge, broker = loading.load(path, environ={}), checking.settings(tomllib.loads(text))
    return {name: value for name, _, value in keys._fields(bridge)}, describing.show(broker)


def test_the_sample_says_nothing(tmp_path):
    assert read(reference.SAMPLE.read_text("utf-8"), tmp_path) == read("", tmp_path)


def test_each_key_of_the_sample_says_its_default(chapters, tmp_path):
    rows = reference.SAMPLE.read_text("utf-8").split("\n")
    commented = [place for place, row in enumerate(rows) if re.match("#[a-z]", row)]
    assert len(commented) == len(every(chapters))
    server = f'state_dir = "{sample.STATE_DIR}"'
    without = {text: read(text, tmp_path) for text in ("", server)}
    for place in commented:
        text = "\n".join([*rows[:place], rows[place][1:], *rows[place + 1 :]])
        assert read(text, tmp_path) == without[server if rows[place] == f"#{server}" else ""], rows[place]
    text = "\n".join(row[1:] if place in commented else row for place, row in enumerate(rows))
    assert read(text, tmp_path) == without[server]

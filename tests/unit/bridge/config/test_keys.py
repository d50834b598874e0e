"""Keys as values, and what is written with them."""

from __future__ import annotations

import tomllib

import pytest

from bridge.config import keys, loading
from bridge.config.keys import Chapter, Key
from bridge.config.sample import written
from bridge.config.settings import Settings
from bridge.errors import PostbellError


@pytest.mark.parametrize(
    ("value", "size", "text"),
    [
        (100, False, "100"),
        (7.5, False, "7.5"),
        (True, False, "true"),
        ('a "quoted" \\ \x7f ü', False, '"a \\"quoted\\" \\\\ \\u007f ü"'),
        (["::1", "x"], False, '["::1", "x"]'),
        ([], False, "[]"),
        (10 * 2**30, True, '"10G"'),
        (50 * 2**20, True, '"50M"'),
        (1536, True, "1536"),
        (65_536, True, '"64k"'),
        (0, True, "0"),
    ],
)
def test_a_value_is_written_as_toml(value, size, text):
    assert keys.toml(value, size=size) == text
    if not size:
        assert tomllib.loads(f"k = {text}")["k"] == value


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({}, ""),
        ({"ge": 1}, "1 or more"),
        ({"ge": 1, "le": 9}, "1 to 9"),
        ({"gt": 0}, "more than 0"),
        ({"gt": 0, "le": 9}, "more than 0, 9 or less"),
        ({"le": 9}, "9 or less"),
    ],
)
def test_bounds_are_told_in_words(bounds, words):
    assert Key("a.b", "number", 1, "", **bounds).bounds == words
    assert Key("a.b", keys.SIZE, 1, "", ge=1024).bounds == '"1k" or more'


def test_the_keys_of_a_section_stand_together_as_the_file_has_them():
    chapters = {chapter.name: [key.last for key in chapter.keys] for chapter in keys.chapters()}
    assert chapters[""] == ["state_dir", "node"]
    assert chapters["broker"][:3] == ["embedded", "listen", "websocket"]
    assert chapters["broker"][-1] == "public_url"
    assert chapters["limits"].index("messages") < chapters["limits"].index("packet")
    ours = [key.name for chapter in keys.chapters(with_brokers=False) for key in chapter.keys]
    assert [name for name in keys.meanings() if name in ours] == ours, "in this order without the broker's, too"
    assert keys.meanings()["broker.session_days"].startswith("How many days")


def test_values_of_the_broker_are_asked_of_the_broker(tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text("[limits]\nqueue_bytes = '2M'\ncommands = 50\n")
    _, told = keys.shown(loading.load(file, environ={}), tomllib.loads(file.read_text()))
    assert (told["limits.queue_bytes"], told["limits.commands"]) == (2 * 2**20, 50)
    assert told["lmtp.socket_mode"] == "0660"
    with pytest.raises(PostbellError, match="does not tell of its configuration"):
        keys.shown(Settings(), {"limits": {"queue": 0}})


def test_a_file_is_written_with_what_is_asked_for():
    one, two = Key("node", "name", "main", "Its name."), Key("a.size", keys.SIZE, 1, "How `large`.", ge=0)
    chapters = [Chapter("", "At the top.", (one,)), Chapter("a", "A section.", (two,)), Chapter("b", "None.", ())]
    places = {"node": "default", "a.size": "postbell.toml:3"}
    values = {"node": "main", "a.size": 2**20}
    text = written(chapters, values, places, explained=True)
    assert text.split("\n") == [
        "# Its name. (name)", 'node = "main"  # default', "",
        "# A section.", "[a]", "", "# How large. (size, 0 or more)", 'size = "1M"  # postbell.toml:3', "",
    ]  # fmt: skip
    assert tomllib.loads(text) == {"node": "main", "a": {"size": "1M"}}
    assert written(chapters, {"a.size": 7}, places, explained=False) == "[a]\nsize = 7  # postbell.toml:3\n"
    assert written(chapters, {}, places, explained=False) == ""

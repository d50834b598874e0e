"""Where each key stands: what the scan finds is held against Python's own reader of TOML."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.lines import lines_of

TEXT = '''\
# a comment = "with a key"
top.dotted = 1 # and one behind
"quoted # key" = """
inner = 1 \\""" still
ends with two quotes"""""
'literal.key' = \'\'\'
[no.table]
\'\'\'\'
  [ section ]
  number = 1979-05-27 07:32:00
  list = [
    "a", # ] no end
    { x = 1, 'y'.z = "}" },
    [[], [ 2, ],],
  ]
\tindented = true
[section."sub \\u00e4"]
empty = {}
[[many]]
name = '\\'
[[many]]
[many.inner]
deep.deeper = +inf
[[many.again]]
last = ""'''


def keys_of(value, path=()):
    """Every table, key and element of what was read."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from keys_of(inner, (*path, key))


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), "", "# nothing", "\n\n", "a=1"])
def test_every_key_that_is_read_has_a_line_and_no_other(text):
    assert lines_of(text).keys() == set(keys_of(tomllib.loads(text)))


def test_lines_are_where_an_editor_shows_them():
    lines = lines_of(TEXT)
    told = TEXT.split("\n")
    for key, begin in [
        (("top", "dotted"), "top.dotted"),
        (("quoted # key",), '"quoted'),
        (("literal.key",), "'literal"),
        (("section",), "  [ section ]"),
        (("section", "number"), "  number"),
        (("section", "list", 0), '    "a"'),
        (("section", "list", 1, "y", "z"), "    { x"),
        (("section", "indented"), "\tindented"),
        (("section", "sub ä"), '[section."sub'),
        (("many", 0, "name"), "name"),
        (("many", 1, "inner", "deep", "deeper"), "deep.deeper"),
        (("many", 1, "again", 0, "last"), "last"),
    ]:
        assert told[lines[key] - 1].startswith(begin), key
    assert lines["many", 0] == lines["many",]


KEYS = st.text(min_size=1, max_size=6).map(json.dumps) | st.text("abc-_19", min_size=1, max_size=4)
TEXTS = st.text(max_size=12)
ONE = (
    TEXTS.map(json.dumps)
    | TEXTS.filter(lambda text: text.isprintable() and "'" not in text).map(lambda text: f"'{text}'")
    | TEXTS.filter(lambda text: all(each.isprintable() or each == "\n" for each in text)).map(
        lambda text: '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'
    )
    | st.integers(-99, 99).map(str)
    | st.sampled_from(["true", "1.5", "1979-05-27", "07:32:00", "nan"])
)
VALUES = st.recursive(
    ONE,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: "[ # c ]\n" + ",\n".join(each) + "\n]")
        | st.lists(st.tuples(KEYS, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=6,
)
PAIRS = st.tuples(st.lists(KEYS, min_size=1, max_size=2).map(" . ".join), VALUES).map(" = ".join)
HEADERS = st.builds(
    lambda parts, double: f"[[{'.'.join(parts)}]]" if double else f"[{'.'.join(parts)}]",
    st.lists(KEYS, min_size=1, max_size=2),
    st.booleans(),
)


@given(st.lists(PAIRS | HEADERS | st.just("# comment [x]") | st.just(""), max_size=8))
def test_whatever_is_toml_is_scanned_as_it_is_read(rows):
    text = ""
    for row in rows:  # what would not be TOML is left out
        try:
            tomllib.loads(f"{text}{row}\n")
        except tomllib.TOMLDecodeError:
            continue
        text += f"{row}\n"
    assert lines_of(text).keys() == set(keys_of(tomllib.loads(text)))

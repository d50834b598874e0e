"""Lines that go on: joined without the space that says so."""

from __future__ import annotations

import pytest

from bridge.mail import content, flowed
from tests.unit.bridge.mail.clean import read


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("Donaudampf \r\nschiff\r\n", "Donaudampfschiff\n"),
        ("これは長い文章の \n続きです。\n次", "これは長い文章の続きです。\n次"),
        ("a  \nb", "a b"),
        ("> a \n> b\n>> c \n> d \ne", "> ab\n>> c\n> d\ne"),
        (" > no quote \n goes on", "> no quotegoes on"),
        ("end \n-- \nNora", "end\n-- \nNora"),
        ("last ", "last"),
        ("", ""),
    ],
)
def test_lines_are_joined(text, joined):
    assert flowed.joined(text) == joined


@pytest.mark.parametrize(
    ("parameters", "said"),
    [("; format=flowed; delsp=yes", "ab c"), ("; format=Flowed; DelSp=YES", "ab c"), ("; format=flowed", "a b c"),
     ("; delsp=yes", "a b c")],
)  # fmt: skip
def test_only_where_the_type_says_so(parameters, said):
    raw = f"Content-Type: text/plain{parameters}\r\n\r\na \r\nb\r\nc\r\n".encode()
    assert read(raw).snippet == said
    assert content.readable_text(raw).replace("\n", " ") == said


def test_a_page_that_could_be_read_is_not_utf16():
    page = "<html><head><meta charset=%s></head><body>Grüße</body></html>"
    for name in ("unicode", "utf-16", "UTF-16LE"):
        assert read(b"Content-Type: text/html\r\n\r\n" + (page % name).encode()).snippet == "Grüße"
        assert read(b"Content-Type: text/html\r\n\r\n" + (page % name).encode("cp1252")).snippet == "Grüße"

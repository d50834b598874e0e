"""Plain parts that are markup: told apart from people who write about markup, and read as what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import content, disguise
from tests.support.processor import least_s
from tests.unit.bridge.mail.clean import read

MARKUP = {
    "<html><body><p>Hello Nora</p></body></html>": "Hello Nora",
    "\ufeff <!DOCTYPE html>\n<head><title>x</title></head><body>Hello Nora": "Hello Nora",
    "<?xml version='1.0'?><html><body>Hello Nora": "Hello Nora",
    "<!-- a -->\n<!-- b\nc --><span></span>\n<body>Hello Nora</body>": "Hello Nora",
    "<p>Hello</p><p>Nora</p>": "Hello Nora",
    "<div>Hello<br>Nora</div>": "Hello Nora",
    "Hello<br/><br>Nora<br><b>x</b>": "Hello Nora x",
    "<style>p {color: red}</style><p>Hello</p> <span>Nora</span>": "Hello Nora",
    "<span>Hello Nora</span>": "Hello Nora",
    "<div style='display:none'>Hello</div>Nora": "Hello Nora",
    "<style>\n#a td{padding:0;}\n</style>\nHello Nora": "Hello Nora",
    "Tom &amp; Jerry&nbsp;are back &zwnj;&nbsp;&zwnj;": "Tom & Jerry are back",
    "Tom &amp; Jerry": "Tom & Jerry",
    "It&#39;s &uuml;ber caf&eacute;": "It's über café",
    "&lt;p&gt;Hello&lt;/p&gt;&lt;br&gt;Nora": "Hello Nora",
    "P {margin-top:0;margin-bottom:0;}\n\nHello Nora": "Hello Nora",
    "@media only screen { .a { width: 100% } .b{color:red} }\nbody, td > a { color: red; }\nHello Nora": "Hello Nora",
    "/* x */ @import url(x);\n.foo,\n#bar{font:12px/1 Arial}\nHello Nora": "Hello Nora",
}
TEXTS = [
    'the "&nbsp;" entity and `&amp; ` too',
    "R&D; AT&T; ok",
    "if (a && b) x;",
    "see x?a=1&amp;b=2",
    "x?a=1&copy=2",
    "5 &lt; 6",
    "<nora@example.org> wrote",
    "<https://example.org> see <b>x</b>",
    "<Nora> hi",
    "I would write <p>a</p> and <p>b</p> in the page and hope, with many words around the few tags",
    "--- a/x.html\n+++ b/x.html\n-<p>old</p>\n+<p>new</p>\n",
    "Use {name: value} please",
    "fn main() { let x: u8 = 1; }",
    "function a() { return 1; }\nHello",
    "Hello,\n\n.header { color: red; } is the rule",
    "Total {x}\n",
    "",
    "\u200b \n",
]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_says_what_it_shows(text):
    assert disguise.disguised(text)
    assert " ".join(disguise.revealed(text).replace("\u200c", "").split()) == MARKUP[text]


@pytest.mark.parametrize("text", TEXTS)
def test_what_people_write_about_markup_stays(text):
    assert not disguise.disguised(text)
    assert disguise.revealed(text) == text


@pytest.mark.parametrize("text", MARKUP)
def test_a_page_beside_it_says_it_better(text):
    part = "--b\r\nContent-Type: text/{}; charset=utf-8\r\n\r\n{}\r\n"
    page = "<p>Hello page</p>"
    for said, shown in ((page, "Hello page"), ("", MARKUP[text])):
        body = part.format("plain", text) + part.format("html", said)
        raw = f"Content-Type: multipart/alternative; boundary=b\r\n\r\n{body}--b--\r\n".encode()
        assert read(raw).snippet == shown
        assert " ".join(content.readable_text(raw).replace("\u200c", "").split()) == shown
    body = part.format("plain", "Hello plain") + part.format("html", page)
    raw = f"Content-Type: multipart/alternative; boundary=b\r\n\r\n{body}--b--\r\n".encode()
    assert (read(raw).snippet, content.readable_text(raw)) == ("Hello plain", "Hello plain")


def test_one_tag_at_the_beginning_is_enough_beside_a_page():
    text = "<p> is a tag"
    assert disguise.disguised(text)
    assert disguise.revealed(text) == text


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p", "<!--", "-->", "&nbsp;", "&lt;p&gt;", "{", "}", "a:b;", "@media ", "/*", "*/", "x", " "]
        )
    )
)
def test_no_text_raises(pieces):
    text = "".join(pieces)
    disguise.disguised(text)
    assert isinstance(disguise.revealed(text), str)


@pytest.mark.parametrize(
    "unit", [" ", "\n", "</p", "<!--", "a, ", "a{", "@media x{a{", "{a:b;", "a,", "&", "&lt;p", "/*", "<p a='"]
)
def test_any_text_is_judged_at_once(unit):
    text = (unit * 49_152)[:49_152]
    least = least_s(lambda: (disguise.disguised(text), disguise.revealed(text)), bound_s=0.25)
    assert least < 0.25  # measured below 0.04

"""Content types: misspelt ones as they were meant, unreadable ones as text unless they are files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import content, mediatypes, mime, params
from bridge.model import Flag
from tests.unit.bridge.mail.clean import read


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("text/plain; charset=x", "text/plain"),
        ("text/plain charset=x", "text/plain"),
        ("text/plain, charset=x", "text/plain"),
        ("text/plain: charset=x", "text/plain"),
        ("TEXT/PLAIN ;charset=x", "text/plain"),
        ("text / plain;charset=x", "text/plain"),
        ('"text/plain"; charset=x', "text/plain"),
        ("'text/plain'; charset=x", "text/plain"),
        ("text/plain/; charset=x", "text/plain"),
        ("text\\plain; charset=x", "text/plain"),
        ("plain/text; charset=x", "text/plain"),
        ("txt/plain; charset=x", "text/plain"),
        ("test/plain; charset=x", "text/plain"),
        ("text; charset=x", "text/plain"),
        ("plain charset=x", "text/plain"),
        ("text/; charset=x", "text/plain"),
        ("text-plain; charset=x", "text/plain"),
        ("textplain charset=x", "text/plain"),
        ("application/text; charset=x", "text/plain"),
        ("application/plain-text; charset=x", "text/plain"),
        ("message/plain; charset=x", "text/plain"),
        ("html; charset=x", "text/html"),
        ("text_html; charset=x", "text/html"),
        ("html/text; charset=x", "text/html"),
        ("text/htm; charset=x", "text/html"),
        ("text/other; charset=x", "text/other"),
        ("text/plain a=b charset=x", "text/plain"),
        ("charset=x", ""),
        ("foo/bar; charset=x", ""),
        ("; charset=x", ""),
        ("pdf charset=x", ""),
        ("x-foo/bar; charset=x", "x-foo/bar"),
        ("image/png charset=x", "image/png"),
        ("application/octet-stream; charset=x", "application/octet-stream"),
    ],
)
def test_a_type_is_what_was_meant(field, kind):
    read_as = params.media_type(field.encode())
    assert (read_as.value, read_as.raw["charset"]) == (kind, b"x")


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw):
    assert isinstance(mediatypes.split(raw)[0], str)


@pytest.mark.parametrize(
    "field",
    [
        "text/other; charset=UTF-8",
        "text/x-log",
        "text/markdown",
        "text/csv",
        "plain/text",
        "text/plain charset=UTF-8",
        "text",
        "foo/bar",
        "=",
        "charset=utf-8",
        "text/plain; charset=utf-8 format=flowed",
        "text/enriched",
        "application/xhtml+xml",
        'multipart/mixed; boundry="b"',
        "text/plain; name=a.txt",
        "text/x-log\r\nContent-Disposition: inline",
    ],
)
def test_a_text_of_any_type_is_read(field):
    raw = f"Content-Type: {field}\r\n\r\nArmed at 22:00 – ä\r\n".encode()
    assert read(raw).snippet == "Armed at 22:00 – ä"
    assert content.readable_text(raw).strip() == "Armed at 22:00 – ä"
    inline = (
        f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: {field}\r\n\r\nArmed – ä\r\n--b--\r\n"
    )
    assert read(inline.encode()).snippet == "Armed – ä"


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Type: text/x-log; name=a.log",
        "Content-Type: foo/bar; name=a.log",
        "Content-Type: pdf; name=a.pdf",
        "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt",
        "Content-Type: foo/bar\r\nContent-Disposition: attachment",
        "Content-Type: text/other\r\nContent-Disposition: attachment",
        "Content-Type: foo/bar\r\nContent-Transfer-Encoding: base64",
    ],
)
def test_a_file_is_no_text(fields):
    raw = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{fields}\r\n\r\nQUJD\r\n--b--\r\n".encode()
    assert "QUJD" not in read(raw).snippet
    assert "ABC" not in read(raw).snippet
    assert content.readable_text(raw) == ""
    assert Flag.ATTACHMENT in read(raw).flags


@pytest.mark.parametrize("field", ["multipart; boundary=b", "multipart/mixed boundary=b", "multpart/mixed; boundary=b"])
def test_a_multipart_is_known_by_its_boundary(field):
    raw = f"Content-Type: {field}\r\n\r\npreamble\r\n--b\r\n\r\nhello\r\n--b--\r\n".encode()
    assert [part.content_type for part in mime.parts(raw)] == ["text/plain"]
    assert read(raw).snippet == "hello"


def test_what_a_page_says_too_is_not_read_twice():
    parts = ("text/plain", "a"), ("text/x-amp-html", "<html amp4email>b"), ("text/html", "<p>c</p>")
    body = "".join(f"--b\r\nContent-Type: {kind}\r\n\r\n{said}\r\n" for kind, said in parts)
    raw = f"Content-Type: multipart/alternative; boundary=b\r\n\r\n{body}--b--\r\n".encode()
    assert (read(raw).snippet, content.readable_text(raw)) == ("a", "a")

"""The walk over the parts of a message, their decoding, and readable text."""

from __future__ import annotations

import base64
import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import content, markup, mime, params
from tests import mail
from tests.support.processor import least_s


def entity(*fields: str, body: bytes = b"") -> bytes:
    return "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n" + body


def multipart(subtype: str, *children: bytes, boundary: str = "b") -> bytes:
    delimiter = f"\r\n--{boundary}\r\n".encode()
    body = b"".join(delimiter + child for child in children) + f"\r\n--{boundary}--\r\n".encode()
    return entity(f'Content-Type: multipart/{subtype}; boundary="{boundary}"', body=body)


PLAIN = entity("Content-Type: text/plain; charset=utf-8", body="Grüße".encode())
HTML = entity("Content-Type: text/html", body=b"<p>Hello <b>there</b></p>")
PDF = entity(
    "Content-Type: application/pdf",
    'Content-Disposition: attachment; filename="a b.pdf"',
    "Content-Transfer-Encoding: BASE64",
    body=base64.encodebytes(bytes(3000)).replace(b"\n", b"\r\n"),
)


def test_parts_are_the_leaves_in_order_with_their_bytes():
    raw = multipart("mixed", multipart("alternative", PLAIN, HTML, boundary="inner"), PDF)
    found = mime.parts(raw)
    assert [part.content_type for part in found] == ["text/plain", "text/html", "application/pdf"]
    assert [part.index for part in found] == [0, 1, 2]
    assert found[0].within == ("multipart/mixed", "multipart/alternative")
    assert found[0].alternative == found[1].alternative != 0
    assert found[2].alternative == 0
    assert raw[found[0].start : found[0].end] == "Grüße".encode()
    assert (found[2].file_name, found[2].encoding) == ("a b.pdf", "base64")
    assert content.decoded(raw, found[2]) == bytes(3000)
    assert abs(found[2].size - 3000) < 60


def test_a_memory_map_is_read_like_bytes(tmp_path):
    path = tmp_path / "mail"
    path.write_bytes(multipart("mixed", PLAIN, PDF))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        found = mime.parts(raw)
        assert [part.content_type for part in found] == ["text/plain", "application/pdf"]
        assert content.decoded(raw, found[1]) == bytes(3000)
        assert content.readable_text(raw) == "Grüße"


@pytest.mark.parametrize(
    ("encoding", "body", "decoded"),
    [
        ("base64", b"aGVs\r\nbG8=", b"hello"),
        ("base64", b"aGVsbG8", b"hello"),
        ("base64", b"aGk=aGk=", b"hihi"),
        ("base64", b"a", b""),
        ("quoted-printable", b"a=3Db=\r\nc =ZZ", b"a=bc =ZZ"),
        ("7bit", b"a=3D", b"a=3D"),
        ("nonsense", b"a=3D", b"a=3D"),
    ],
)
def test_decoding(encoding, body, decoded):
    raw = entity(f"Content-Transfer-Encoding: {encoding}", body=body)
    assert content.decoded(raw, mime.parts(raw)[0]) == decoded


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("Content-Disposition: attachment; filename=a.txt", "a.txt"),
        ("Content-Disposition: attachment; filename*=utf-8''%e2%82%ac%20a.txt", "€ a.txt"),
        ("Content-Disposition: attachment; filename*1=\"b.txt\"; filename*0*=utf-8'de'%e2%82%ac-", "€-b.txt"),
        ("Content-Disposition: attachment; filename==?utf-8?b?4oKsLnR4dA==?=", "€.txt"),
        ('Content-Type: application/pdf; name="x \\"y\\".pdf"', 'x "y".pdf'),
        ("Content-Disposition: attachment; filename=gpj.\u202eexe", "gpj.exe"),
    ],
)
def test_file_names(field, name):
    assert mime.parts(entity(field, body=b"x"))[0].file_name == name


def test_a_boundary_that_begins_like_another_is_not_it():
    inner = multipart("alternative", PLAIN, HTML, boundary="b1")
    raw = multipart("mixed", inner, entity("Content-Type: image/png", body=b"--b1x\r\nnot a delimiter"))
    assert [part.content_type for part in mime.parts(raw)] == ["text/plain", "text/html", "image/png"]


def test_an_inner_multipart_that_is_never_closed_ends_with_the_outer_one():
    inner = multipart("alternative", PLAIN, HTML, boundary="inner").replace(b"--inner--", b"")
    assert [part.content_type for part in mime.parts(multipart("mixed", inner, PDF))][2:] == ["application/pdf"]


def test_a_multipart_without_parts_is_text():
    raw = entity("Content-Type: multipart/mixed; boundary=b", body=b"just words")
    assert content.readable_text(raw) == "just words"
    assert content.readable_text(entity("Content-Type: multipart/mixed", body=b"just words")) == "just words"


def test_what_is_cut_is_known_to_be_unfinished():
    whole = multipart("mixed", PLAIN, PDF)
    assert mime.walk(whole).unfinished == ()
    assert mime.walk(whole[: len(whole) // 2]).unfinished == ("multipart/mixed",)


def test_enclosed_messages_are_one_part():
    raw = multipart("mixed", PLAIN, entity("Content-Type: message/rfc822", body=multipart("mixed", PDF, boundary="c")))
    assert [part.content_type for part in mime.parts(raw)] == ["text/plain", "message/rfc822"]
    digest = multipart("digest", b"\r\nSubject: one\r\n\r\nx", b"\r\nSubject: two\r\n\r\ny")
    assert [part.content_type for part in mime.parts(digest)] == ["message/rfc822"] * 2


def test_depth_and_number_of_parts_are_bounded():
    deep = (mail.OWN / "made" / "nested-150.eml").read_bytes()
    assert [len(part.within) for part in mime.parts(deep)] == [mime.DEEPEST]
    wide = multipart("mixed", *[b"\r\nx"] * (mime.MOST_PARTS + 100))
    assert len(mime.parts(wide)) == mime.MOST_PARTS


def test_readable_text_takes_one_of_several_forms_and_leaves_attachments_out():
    notes = entity("Content-Disposition: attachment; filename=notes.txt", body=b"secret notes")
    raw = multipart("mixed", multipart("alternative", PLAIN, HTML, boundary="inner"), notes, PLAIN)
    assert content.readable_text(raw) == "Grüße\n\nGrüße"
    empty = entity("Content-Type: text/plain", body=b"  \r\n")
    assert content.readable_text(multipart("alternative", empty, HTML)) == "Hello there"


def test_readable_text_of_a_page_is_lines():
    page = (
        b"<html><head><style>p{}</style><title>t</title></head><body><h1>Offer</h1><p>One<br>two</p><ul><li>x<li>y</ul>"
    )
    text = content.readable_text(entity("Content-Type: text/html", body=page))
    assert [line for line in text.split("\n") if line] == ["Offer", "One", "two", "• x", "• y"]


def test_readable_text_has_an_end():
    """Also when all of it is bytes that have no character in any charset that fits."""
    assert (
        content.readable_text(b"Subject: x\r\n\r\n" + b"\x8d" * 1_048_576)
        == "\ufffd" * (content.LONGEST_TEXT - 1) + "…"
    )


def test_a_page_may_declare_its_own_charset():
    page = '<meta http-equiv=Content-Type content="text/html; charset=windows-1251"><p>Привет'.encode("cp1251")
    assert content.readable_text(entity("Content-Type: text/html", body=page)) == "Привет"


def test_nested_lists_cost_linear_memory():
    page = "<ul><li>x" * 5_000
    assert len(markup.plain(page)) < 100_000
    assert least_s(lambda: markup.plain(page), bound_s=2) < 2


def test_parameters_survive_what_senders_do_to_them():
    parsed = params.parse(b'text/PLAIN (comment); charset = "utf-8" ; format=flowed;; x="a;b=c"; charset=second')
    assert parsed.value == "text/plain"
    assert parsed.text("charset") == "utf-8"
    assert parsed.text("format") == "flowed"
    assert parsed.text("x") == "a;b=c"
    assert parsed.text("missing") == ""


@pytest.mark.parametrize("path", mail.own(), ids=lambda path: path.stem)
def test_a_message_has_parts_within_its_bytes(path):
    assert_bounded(path.read_bytes())


def test_foreign_messages_have_parts_within_their_bytes(mail_dir):
    for path in mail.foreign():
        assert_bounded(path.read_bytes())
    assert mail_dir.is_dir()


def assert_bounded(raw: bytes):
    position = 0
    for part in mime.parts(raw):
        assert position <= part.start <= part.end <= len(raw)
        position = part.end
        content.decoded(raw, part)
    content.readable_text(raw).encode()


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b\n",
                b"--b--\n",
                b"--c\r\n",
                b"\n",
                b"x\n",
                PLAIN,
                HTML,
                b"--bc\n",
                b"Content-Type: multipart/mixed; boundary=b\n",
                b"Content-Type: multipart/digest; boundary=c\n",
            ]
        ),
        max_size=30,
    )
)
def test_any_arrangement_of_delimiters_is_walked_within_bounds(pieces):
    assert_bounded(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(pieces))


def test_base64_in_many_pieces_costs_little_more_than_in_one():
    head = b"Content-Transfer-Encoding: base64\r\n\r\n"
    whole, pieces = head + b"YWFh" * 200_000, head + b"YQ==" * 200_000
    assert content.readable_text(head + b"YQ==Yg==" * 3) == "ababab"
    assert least_s(lambda: content.readable_text(pieces), tries=5) < 4 * least_s(
        lambda: content.readable_text(whole), tries=5
    )


def test_a_file_name_is_read_no_longer_than_a_name_can_be():
    part = b'--b\r\nContent-Type: application/x; name="%s"\r\n\r\n'
    short, long = ((part % (b"=?utf-8?Q?=C3=A9?= " * words)) * 100 for words in (100, 800))
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    assert least_s(lambda: mime.parts(head + long), tries=5) < 3 * least_s(lambda: mime.parts(head + short), tries=5)
    assert len(mime.parts(head + long)[0].file_name) > 90


def test_a_name_in_many_sections_is_read_up_to_its_bound():
    sections = b"".join(b"; name*%d*=%s" % (number, b"%C3%A9" * 8) for number in range(40))
    assert params.parse(b"a/b" + sections).text("name") == "é" * 320
    assert params.parse(b"a/b; name*=utf-8''" + b"%C3%A9" * 2_000).text("name") == "é" * 400
    assert len(params.parse(b"a/b" + b"".join(b"; n%d=a" % number for number in range(1_000))).raw) == 48


def test_the_walk_ends_when_headers_are_all_there_is():
    part = b"--b\nContent-Type: a/b\nX: " + b"x" * 1_000 + b"\n\nbody\n"
    found = mime.parts(b"Content-Type: multipart/mixed; boundary=b\n\n" + part * 400)
    assert 100 < len(found) < 140

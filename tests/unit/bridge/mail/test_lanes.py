"""The short ways of reading give what the long ones give: on every message at hand, and on what is made of pieces."""

from __future__ import annotations

import random
from typing import Any
from unittest.mock import patch

import pytest

from bridge.mail import boilerplate, codes, codewords, params, plain, prose, snippet
from bridge.mail.fields import Fields
from bridge.mail.quotes import introductions
from bridge.mail.quotes.lines import Line
from tests import mail
from tests.support.lanes import LANES, closed, taken
from tests.unit.bridge.mail.clean import read

MOST_MAIL = b"""\
From: Bob Example <Bob@example.net>\r
To: <alice@example.org>\r
Subject: Dinner\r
Date: Sat, 28 Nov 2026 02:22:27 +0100 (CET)\r
Message-ID: <1@example.net>\r
\r
Hello Alice,\r
\r
shall we meet at eight? The table is for four.\r
"""
PIECES = [
    "one", "-", " ", "time", "pass", "code", "w", "o", "rt", "otp", "m", "s", "e", "p", "tan", "etac", "nummer", "2fa",
    "einmal", "kennw", "ö", "k", "c", "ó", "oo", "d", "ð", "pin", "verification", "confirmation", "security", "number",
    "mot", " de ", "wachtwoord", "lösenord", "adgangskode", "contraseña", "clave", "senha", "palavra", "hasł", "hesl",
    "a", "jelsz", "av", "ó", "ş", "s", "ifre", "parol", "ă", "salasan", "lozink", "gesl", "msimbo", "nenosiri",
    "kata sandi", "mật khẩu", "mã", "ı", "İ", "ſ", "K", "код", "验证码", "\n", "1", "_", "é", "–", "🙂",
]  # fmt: skip


PROSE = [
    "Hello Alice,", "shall we meet at eight? The table is for four, and the walls are red.", "",
    "  indented words  ", "x" * 78, "2 of us will come by train", "Bob", "y" * 250,
    "Words, and more of them, until the line is as long as it",
]  # fmt: skip
LINES = [
    "View this email in your browser", "Sent from my iPhone", "sent via Outlook for nobody", "iPhone",
    "Original Message", "Begin forwarded message", "Weitergeleitete Nachricht", "Doorgestuurd bericht",
    "original appointment", "view online", "On Monday Bob wrote", "Bob wrote:", "bob@example.net", "> quoted",
    "-- ", "--", "- a point", "title ===", "== title", "***", "[image: logo]", "https://example.net/x",
    "Type above this line", "External sender", "to ensure delivery",
    "This message was sent from outside of your organization", "Gruß aus Köln", "a\tb", "Hash", "unsubscribe",
    "|a|b|", "Le lundi Bob a écrit", "Mensaje original", "Messaggio originale", "your code is 123456",
    "Von meinem iPad gesendet", "____________________________", "a mailing list", "Get Outlook for Android", "http",
    "_", "This is a line_",
]  # fmt: skip


NOTES = [
    "sent from my iphone", "gesendet von abc", "envoyé de mon iphone", "отправлено с iphone", "发自我的iphone",
    "this is a multi-part message in mime format.", "your mail client does not support html", "external email",
    "this e-mail requires html", "please add a@b to your address book", "to ensure delivery, do x", "Hash: SHA1",
    "this email originated from outside of the organization", "type your reply above this line", "[external]",
    "you don't often get email from bob smith", "external: do not click", "view this email in your browser",
    "mail reader can not display this", "unsubscribe", "images", "a", "*", "to", "K-9", "iPads", "xMac", "Mac",
]  # fmt: skip
ODD = ["ı", "İ", "ſ", "\u212a", "ß", "e\u0301", "’", "_", "-", "\u200b", "ﬁ", ">", "|>", "1", "в", "\u1c80", ""]
TYPES = [
    b"multipart/mixed", b"text/plain", b"text/html", b"attachment", b"inline", b"image/png", b"; boundary=", b";", b"A",
    b"; ", b'; boundary="', b'"', b"; charset=", b"utf-8", b"name=", b'; filename="a b.pdf"', b"; filename=a=b", b"=",
    b"(x)", b"\\", b"*", b"; filename*0=a", b"x", b"; format=flowed", b'; boundary=""', b"\xff", b",", b":", b"/", b" ",
]  # fmt: skip
CODES = [
    "your code is ", "123456", "4 3 2 1", "12-34-56", "AB12CD", "ABC-123", "order ", "Kundennummer ", "Code:", "PIN",
    "Passwort: ", "password", "OTP ", "TAN", "confirm", "login", "zip code", "2025", "12:30", "\n", ". ", ": ", "is ",
    "Ihr ", "é", "ß", "код: ", "验证码", "٧٣٥٢٠٦", "\uff1a", "ABCDEF", "a1b2c3", "\r", "\t", "> ", "diff ",
    "ID: 12 34 56", "ı", "İ", "ſ", "\u212a", "kata\rsandi", "sign in", "Sicherheit", "\u00a0", "word", "x" * 50,
]  # fmt: skip


def row(text: str, **about: Any) -> Line:
    return Line(text, text, **about)


@pytest.mark.parametrize("path", [*mail.own(), *mail.foreign()], ids=lambda path: path.stem)
def test_a_message_is_read_the_same_with_every_lane_closed(path):
    raw = path.read_bytes()
    options = {"authserv_ids": frozenset({"mx"}), "spam_headers": ("X-Spam-Flag",)}
    with closed():
        long_way = read(raw, **options)
    assert read(raw, **options) == long_way


@pytest.mark.parametrize("lane", LANES)
def test_most_mail_takes_the_lane(lane):
    with taken() as lanes:
        found = read(MOST_MAIL)
        read(MOST_MAIL.replace(b"Hello", b"Quote: x\r\n- y\r\nHello"))  # not each of its lines is quiet
        read(MOST_MAIL.replace(b"Hello", b"The code for 1234 is missing. Hello"))
        read(b"Content-Type: text/plain; charset=utf-8\r\n" + MOST_MAIL)
    assert lane in lanes
    assert (found.from_name, found.from_address, found.date) == ("Bob Example", "bob@example.net", 1795828947)
    assert found.snippet == "Hello Alice, shall we meet at eight? The table is for four."


def test_words_for_codes_are_found_where_the_whole_pattern_finds_them():
    chance = random.Random(13)
    found = 0
    for _ in range(4_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        text = text.upper() if chance.random() < 0.2 else text
        expected = [(match.span(), match.lastgroup) for match in codewords.ANNOUNCING.finditer(text)]
        assert [(match.span(), match.lastgroup) for match in codewords.announcing(text)] == expected, repr(text)
        found += len(expected)
    assert found > 2_000


def test_a_text_of_any_lines_begins_as_it_does_line_by_line():
    chance = random.Random(14)
    taken_at_once = 0
    for _ in range(6_000):
        lines = [chance.choice(LINES if chance.random() < 0.3 else PROSE) for _ in range(chance.randint(1, 9))]
        body, subject = "\n".join(lines), chance.choice(["", "Hello Alice,", "Re: dinner"])
        with closed():
            expected = snippet.make(body, subject=subject)
        assert snippet.make(body, subject=subject) == expected, repr(body)
        taken_at_once += prose.begun(lines, 300, subject) != ([], 0)
    assert taken_at_once > 1_000


def test_a_line_of_any_words_is_a_note_wherever_it_is_looked_for():
    chance = random.Random(15)
    found = 0
    for _ in range(8_000):
        line = chance.choice(["", "", "one ", "add "]) + chance.choice(NOTES) + chance.choice(["", "", " two", "."])
        at = chance.randint(0, len(line))
        line = line[:at] + chance.choice(ODD) + line[at + chance.randint(0, 1) :]
        line = chance.choice([line, line.upper(), line.replace("i", "ı").replace("s", "ſ")]).strip()
        with closed():
            expected = boilerplate.is_noise(line)
        assert boilerplate.is_noise(line) == expected, repr(line)
        found += expected
    assert found > 500


def test_a_type_of_any_pieces_is_read_as_the_long_way_reads_it():
    chance = random.Random(16)
    taken_at_once = 0
    for _ in range(12_000):
        raw = b"".join(chance.choices(TYPES, k=chance.randint(1, 6))).strip()
        with patch.object(plain, "structured", lambda _: None):
            expected = params._type(raw), params._parse(raw)
        assert (params._type(raw), params._parse(raw)) == expected, raw
        taken_at_once += plain.structured(raw) is not None
    assert taken_at_once > 500


def test_texts_of_any_pieces_have_the_codes_that_the_long_way_finds():
    chance = random.Random(17)
    found = 0
    for _ in range(4_000):
        texts = ["".join(chance.choices(CODES, k=chance.randint(0, most))) for most in (4, 10, 25)]
        with closed():
            expected = codes.find(*texts)
        assert codes.find(*texts) == expected, texts
        found += bool(expected)
    assert found > 300


@pytest.mark.parametrize(
    "raw",
    [
        b"Bob <b@x>, c@x", b"Bob (x) <b@x>", b'"Bo\\b" <b@x>', b"=?utf-8?q?B?= <b@x>", b"Bob", b"b@x c", b"Bob  <b@x>",
        b'"Bob " <b@x>', b'"Bob"<b@x>', b'"b@x" <b@x>', b'"" <b@x>', b"'Bob' <b@x>", b'"Bob', b"@x", b"b@", b"b@x@y",
        b" <b@x> ", b"<b@x", b"<b>", b"<@a:b@x>", b"Bob: <b@x>", b"B\xc3\xb6b <b@x>", b"x" * 200 + b" <b@x>",
    ],
)  # fmt: skip
def test_any_other_mailbox_is_read_the_long_way(raw):
    assert plain.mailbox(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"Sat, 28 Nov 26 02:22:27 +0000", b"Sat, 28 Nov 2026 02:22 +0000", b"28 Nov 2026 02:22:27 +0000",
        b"Sat, 31 Feb 2026 02:22:27 +0000", b"Sat, 28 Nov 2026 02:22:60 +0000", b"Sat, 28 Nov 2026 02:22:27 GMT",
        b"Sat, 28 Nov 2026 02:22:27 +2400", b"Sat, 28 Nov 0050 02:22:27 +0000", b"2026-11-28T02:22:27Z",
    ],
)  # fmt: skip
def test_any_other_date_is_read_the_long_way(raw):
    assert plain.moment(raw) is None


@pytest.mark.parametrize("name", ["list-id", "precedence", "auto-submitted", "x-priority", "authentication-results"])
def test_a_field_that_gives_a_flag_is_seen(name):
    assert plain.origin(Fields({"from": (b"a@b",)}))
    assert not plain.origin(Fields({"from": (b"a@b",), name: (b"x",)}))


@pytest.mark.parametrize("name", ["content-type", "content-transfer-encoding", "content-disposition", "content-id"])
def test_a_field_about_the_content_is_seen(name):
    assert plain.content(Fields({"from": (b"a@b",)}))
    assert not plain.content(Fields({name: (b"x",)}))


@pytest.mark.parametrize("text", ["<b>", "a &amp; b", "p { color: red }", "@import x;", " /* ; color: x */"])
def test_what_may_be_markup_is_seen(text):
    assert plain.unmarked("a / b @ c")
    assert not plain.unmarked(text)


@pytest.mark.parametrize(
    "rows",
    [
        [row("On Monday Bob wrote:")],
        [row("Bob <b@x.example>")],
        [row("On Monday"), row("Bob wrote:")],
        [row("----- words -----")],
        [row("a", depth=1)],
        [row("é\uff1a")],
        [row("\u2014 a \u2014")],
        [row("a\u200b")],
        [row("a"), row("", mark=True)],
    ],
)
def test_what_may_introduce_is_seen(rows):
    assert introductions.paragraph([row("a"), row("b"), row("c"), row("d:")], 0, 3)
    assert introductions.paragraph([row("a"), row(""), row("d:")], 0, 3)
    assert introductions.paragraph([row("é \u2014 \u201cx\u201d")], 0, 3)
    assert not introductions.paragraph(rows, 0, 3)

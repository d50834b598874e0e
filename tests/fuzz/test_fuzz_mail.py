"""Seeded fuzzing of all that reads mail: header decoder, MIME walk, snippet, digest.

Inputs are the messages at hand and the regressions, mutated and spliced, and mail put together from the
pieces that readers stumble over. Whatever comes out must obey the rules of text, within bounded
time. An input that breaks a rule is written to `regressions/mail/`, where every run starts.
"""

from __future__ import annotations

import hashlib
import random
import time
import unicodedata
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from bridge.mail import content, mime
from bridge.mail.digest import ContentDigest
from bridge.mail.headers import extract
from tests import mail
from tests.mail import content_digest
from tests.support.lanes import closed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

REGRESSIONS = Path(__file__).parent / "regressions" / "mail"
SECONDS_PER_INPUT = 0.1
STEPS_PER_INPUT = 3_000_000
"""So many steps of the interpreter may an input take on a machine that is too slow for the bound in seconds."""
MEGABYTES_PER_INPUT = 50
TRIES = 5  # what takes too long is read again: a busy machine is no defect
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
LONGEST_INPUT = 1_048_576
HIDDEN = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u00ad\ufeff\u2060")

PIECES = [
    b"From: ", b"Subject: ", b"Date: ", b"Content-Type: ", b"text/plain", b"text/html",
    b"text/calendar; method=REQUEST", b"multipart/mixed; boundary=b", b"multipart/alternative; boundary=c",
    b"multipart/report; report-type=", b"message/rfc822", b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable", b"Content-Disposition: attachment", b'; filename="',
    b"; filename*0*=utf-8''%e2", b"; charset=", b"gb2312", b"iso-2022-jp", b"utf-7", b"utf-16",
    b"unicode_escape", b"Authentication-Results: mx; dmarc=pass", b"X-Spam-Flag: YES", b"\r\n", b"\n",
    b"\r\n\r\n", b"\r\n ", b"\r", b"\t", b" ", b"\x00", b"--b\r\n", b"--b--\r\n", b"--c\n", b"--c--",
    b"=?utf-8?q?", b"=?utf-8?b?", b"?=", b"=?", b"=E2=80=AE", b"4oCu", b"=", b"==", b"<", b">", b"@", b",",
    b";", b":", b'"', b"\\", b"(", b")", b"a@b.example", b"<div>", b"<ul><li>", b"<a x='", b"<style>",
    b"&#8238;", b"<blockquote type=cite>", b"<body>", b"<!--", b"-- \n", b"> ", b"On Mon, Bob wrote:\n",
    b"-----Original Message-----\n", b"your code is ", b"123456", b"https://", b"example.org/?x",
    b"BEGIN:VEVENT\n", b"SUMMARY:", b"DTSTART;TZID=", b"20250612T", b"-----BEGIN PGP MESSAGE-----",
    b"View in browser\n", b"\xff", b"\x8d" * 300, b"\xf0\x9f\x91\xa9", b"\xe2\x80\x8d", b"\xed\xa0\x80", b"\xcc\x81",
    b"\x1b$B", b"iso-2022-jp-2", b"\x1b.J\x1bN", b"~{", b"+2AA-", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"9" * 40,
    b"a" * 300, b"dmarc=fail", b"\\(", b"\xef\xbb\xbf", b"\xc2\xa0", b"\xa0", b"\x0c", b"From a\n",
    b"On 11 Apr 2025, Per <p@x.example>\n", b"wrote:\n\n", b"Fra: ", b"Sendt: 11. april 2025 12:10\n", b"> > ", b">:",
    b"-------- V\xc3\xa4litetty viesti --------\n", b"_" * 32, b"\xef\xbc\x9a\n", b"\t", b"| a | b |\n", b"iPhone\n",
    b"<div class=gmail_quote>", b"<blockquote>", b"</blockquote>", b"<div name=quote>",
    b"<a href='mailto:a@b.example'>",
    b"<br id=lineBreakAtBeginningOfSignature>", b"\xef\xb7\x90", b"&#xfdd3;", b"11.4.2025 13.18", b"Re: ",
    b"code", "Ваш код: ".encode(), "コード".encode(), "٧٣٥٢٠٦".encode(), b" is ", b"order 735206 ", b"7 3 5 2",
    b"\x1b$B-!-j", b"; format=flowed; delsp=yes", b"charset=unicode", b"plain/text", b"&nbsp;&amp; ", b"<!-- -->",
    b"P {margin-top:0;}\n", b"message/delivery-status", b"Final-Recipient: rfc822; a@b\n", b"Action: failed\n",
    b"Diagnostic-Code: smtp; 550 5.1.1 no\n", b"X-Failed-Recipients: ", b"MAILER-DAEMON@b.example",
    b"application/pkcs7-mime; smime-type=signed-data", b"MIAGCSqGSIb3DQEHAqCAMIACAQExADCABgkqhkiG9w0BBwGggCSABAQ",
    b"Content-ID: <a>\n", b"<img src='cid:a'>", b"application/pgp-encrypted", b"BEGIN:VALARM\n", b"DURATION:PT1H\n",
    b"RRULE:FREQ=WEEKLY;INTERVAL=2\n", b'TZID="(UTC+1:00) a, b":2025', b"GMT+0100",
    b"\xe2\x80\x8b", b"\xf0\x9f\x87\xa9", b" " * 2_000, b"\xe2\x80\x8b" * 700,
]  # fmt: skip


def check(raw: bytes) -> None:
    """The oracle: clean text, bounded time, the same with lanes closed, parts within the message, one digest."""
    reading = partial(
        extract,
        raw,
        size=len(raw),
        authserv_ids=frozenset({"mx"}),
        spam_headers=("X-Spam-Flag",),
        complete=len(raw) % 2 == 0,
    )
    extracted = bounded(reading)
    with closed():
        assert reading() == extracted
    for text in (extracted.from_name, extracted.from_address, extracted.subject, extracted.snippet):
        text.encode()
        assert unicodedata.is_normalized("NFC", text)
        assert not [c for c in text if unicodedata.category(c) == "Cc"]
        assert len(text.splitlines()) <= 1
    assert not HIDDEN & set(extracted.from_name + extracted.from_address)
    assert len(extracted.snippet) <= 200
    assert extracted.date is None or 0 <= extracted.date < 2**32
    assert 0 <= extracted.hops <= len(raw)
    position = 0
    for part in bounded(lambda: mime.parts(raw)):
        assert position <= part.start <= part.end <= len(raw)
        position = part.end
        content.decoded(raw, part)
    bounded(lambda: content.readable_text(raw)).encode()
    digest = ContentDigest()
    for start in range(0, len(raw), 997):
        digest.update(raw[start : start + 997])
    assert digest.digest() == content_digest(raw)


def steps_s(steps: int) -> float:
    """Processor time that so many steps of a plain loop take at this moment."""
    begin = time.process_time()
    for number in range(steps):
        number & 3
    return time.process_time() - begin


def bounded(read: Callable[[], T]) -> T:
    """What reading gives, at most 0.1 s of processor time and 50 MB of memory later."""
    CLEAR.write_text("5")  # makes the peak what is resident now (proc(5))
    before = resident("VmRSS")
    times: list[float] = []
    while len(times) < TRIES and min(times, default=1) > SECONDS_PER_INPUT:
        begin = time.process_time()
        result = read()
        times.append(time.process_time() - begin)
    assert min(times) <= SECONDS_PER_INPUT or min(times) <= steps_s(STEPS_PER_INPUT), f"{min(times):.2f} s"
    grown = resident("VmHWM") - before
    assert grown <= MEGABYTES_PER_INPUT, f"{grown:.0f} MB"
    return result


def resident(what: str) -> float:
    """Megabytes of this process, now (VmRSS) or at their peak (VmHWM)."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024 / 1e6


def seeds() -> list[bytes]:
    files = [*REGRESSIONS.iterdir(), *mail.own(), *mail.foreign()]
    return [path.read_bytes() for path in sorted(files)]


def assembled(chance: random.Random) -> bytes:
    return b"".join(chance.choice(PIECES) for _ in range(chance.randint(1, 60)))


def flooded(chance: random.Random) -> bytes:
    """A few pieces, over and over: what is not linear shows here."""
    start, unit = assembled(chance), b"".join(chance.choice(PIECES) for _ in range(chance.randint(1, 4)))
    length = chance.choice([4_096, 65_536, LONGEST_INPUT])
    return (start + unit * (length // len(unit)))[:LONGEST_INPUT] + assembled(chance)


def mutated(chance: random.Random, corpus: list[bytes]) -> bytes:
    raw = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(raw))
        match chance.randrange(5):
            case 0:
                raw[at:at] = chance.choice(PIECES)
            case 1:
                del raw[at : at + chance.choice([1, 2, 16, 400])]
            case 2:
                raw[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                other = chance.choice(corpus)
                cut = chance.randint(0, len(other))
                raw[at:] = other[cut : cut + 100_000]
            case _:
                raw[at:at] = raw[max(at - chance.randint(1, 200), 0) : at] * chance.randint(1, 20)
    return bytes(raw[:LONGEST_INPUT])


MANY = b"; name" + b"".join(b"; n*%d*=a" % number for number in range(48))
PART = b"--b\r\nContent-Type: a/x%s\r\n\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
GROWN = {
    "base64 in pieces": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"YQ==" * 262_144,
    "no characters": b"\r\n" + b"\x8d" * 1_048_576,
    "a codec that raises": b"Content-Type: text/plain; charset=iso-2022-jp-2\r\n\r\n\x1b.J\x1bN@",
    "spaces within a line": b"\r\na" + b" " * 1_048_000 + b"b",
    "list items": b"Content-Type: text/html\r\n\r\n" + b"<ul><li>x" * 116_000,
    "names of encoded-words": MIXED + PART % (b'; name="' + b"=?utf-8?Q?=C3=A9?= " * 842 + b'"') * 64,
    "names of escapes": MIXED + PART % (b"; name*=utf-8''" + b"%C3%A9" * 2_666) * 64,
    "names in sections": MIXED + PART % b"".join(b"; n*%d=a" % (number % 1_000) for number in range(1_800)) * 60,
    "comments": MIXED + PART % (b"(" * 5 + b"()" * 8_000) * 9,
    "comments without an end": MIXED + PART % (b"((((((()" * 2_000) * 9,
    "results of authentication": (b"Authentication-Results: " + b"((((((()" * 2_000 + b"\r\n") * 30,
    "labels": b"Subject: Re: ab\r\n\r\n" + b"Ab: c@d.example 1.2.2025\n" * 1_000,
    "labels without values": b"\r\n" + b"Ab:\n\n" * 10_000,
    "values that go on": b"\r\n" + b"Ab: c <\nx\ny\n" * 10_000,
    "attributions": b"\r\n" + b"12:30 a@b.example:\n> x\n" * 10_000,
    "attributions that go on": b"\r\n" + b"foo\nfoo 2025\nfoo:\n" * 10_000,
    "fields in a row": b"\r\n" + b"Ab: <c@d.example> 2025-10-10 " * 10_000,
    "quoted labels": b"\r\n" + b"> a:\n> b@c.example: 2025\n" * 10_000,
    "quotes in quotes": b"Content-Type: text/html\r\n\r\n" + b"<blockquote type=cite>Ab: c@d.example\n" * 10_000,
    "quotes that are marked": b"Content-Type: text/html\r\n\r\n" + b"<div class=gmail_quote>x" * 40_000,
    "tags without an end": b"Content-Type: text/html\r\n\r\n<div class=gmail_quote>" + b"<div a='" * 100_000,
    "links without an end": b"Content-Type: text/html\r\n\r\n" + b"<a href=mailto:a" * 60_000,
    "parameters": MIXED + PART % (MANY + b"\r\nContent-Disposition: a" + MANY) * 800,
}


@pytest.mark.parametrize("raw", GROWN.values(), ids=GROWN)
def test_what_was_too_dear_stays_cheap(raw):
    check(raw)


@pytest.mark.parametrize("path", sorted(REGRESSIONS.iterdir()), ids=lambda path: path.name)
def test_what_once_went_wrong_stays_right(path):
    check(path.read_bytes())


@pytest.mark.fuzz
@pytest.mark.timeout(0)
def test_mutated_and_assembled_mail_is_read_within_its_bounds(request):
    chance = random.Random(request.config.getoption("--fuzz-seed"))
    until = time.monotonic() + request.config.getoption("--fuzz-seconds")
    corpus = seeds()
    tried = 0
    while time.monotonic() < until:
        kind = chance.random()
        if corpus and kind < 0.6:
            raw = mutated(chance, corpus)
        else:
            raw = flooded(chance) if kind > 0.97 else assembled(chance)
        try:
            check(raw)
        except Exception:
            found = REGRESSIONS / hashlib.sha256(raw).hexdigest()[:16]
            found.write_bytes(raw)
            raise
        tried += 1
    assert tried > 0

"""Words and JSON are a request or a clear error, never MessagePack, and replies have room for what they say."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.contract import ids, plain
from bridge.contract.header import pack_header
from bridge.contract.plain import RECENT_UNLESS_SAID, PlainForm, form_of
from bridge.contract.requests import REQUEST_BYTES, Request
from bridge.errors import BadRequestError
from tests.unit.bridge.contract.strategies import headers

A, B = "00t64ks8n", "00t64ks8p"


def read(payload):
    form = form_of(payload)
    assert form is not None
    return plain.parse_request(payload, form)


@pytest.mark.parametrize(
    ("payload", "request_id", "operation", "arguments"),
    [
        (f"seen {A}", 0, "seen", (A,)),
        (f"  Seen\t{A.upper()} {B}\r\n", 0, "seen", (A, B)),
        ("seen all", 0, "seen", ("all",)),
        (f"unseen {A}", 0, "unseen", (A,)),
        ("recent", 0, "recent", (RECENT_UNLESS_SAID,)),
        ("recent 3", 0, "recent", (3,)),
        (f'{{"seen": "{A}"}}', 0, "seen", (A,)),
        (f'{{"seen": ["{A}", "{B}"], "request": 7}}', 7, "seen", (A, B)),
        ('{"seen": "all"}', 0, "seen", ("all",)),
        ('{"request": 4294967295, "recent": 3}', 2**32 - 1, "recent", (3,)),
    ],
)
def test_what_is_asked_is_read(payload, request_id, operation, arguments):
    assert read(payload.encode()) == Request(request_id, operation, arguments)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("hello", "no such operation"),
        ("text 00t64ks8n", "no such operation"),
        ("seen" + " 00t64ks8n" * 2000, "too large"),
        ("recent many", "how many"),
        ("recent 1 2", "how many"),
        ("recent ٣", "how many"),
        ("recent 99999999999", "how many"),
        ("{", "not JSON"),
        ('{"seen": ' + "[" * 8000, "not JSON"),
        ('{"recent": ' + "9" * 5000 + "}", "not JSON"),
        ("{}", "one thing"),
        (f'{{"seen": "{A}", "recent": 1}}', "one thing"),
        (f'{{"seen": "{A}", "request": true}}', "number below"),
        (f'{{"seen": "{A}", "request": 4294967296}}', "number below"),
        ('{"raw": "00t64ks8n"}', "no such operation"),
        (" ", "no such operation"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(payload, why):
    with pytest.raises(BadRequestError, match=why):
        read(payload.encode())


@given(st.sampled_from(PlainForm), st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@example(PlainForm.JSON, b'{"seen": NaN}')
@example(PlainForm.WORDS, b"\xff\xfe seen")
@example(PlainForm.JSON, b"{" + b"\x00" * (REQUEST_BYTES - 1))
def test_any_bytes_are_a_request_or_a_bad_request(form, payload):
    payload = (b"{" if form is PlainForm.JSON else b"s") + payload
    assert form_of(payload) is form
    try:
        request = read(payload)
    except BadRequestError:
        return
    assert request.operation in {"seen", "unseen", "recent"}


@given(st.lists(st.integers(0, 2**32) | st.text(max_size=5) | st.none(), max_size=20))
def test_no_array_of_messagepack_is_taken_for_words(array):
    assert form_of(msgpack.packb(array)) is None
    assert form_of(b"") is None


@pytest.mark.parametrize(("form", "said"), [(PlainForm.WORDS, b"ok"), (PlainForm.JSON, b'{"request":7,"ok":true}')])
def test_what_was_done_is_said(form, said):
    assert plain.done(form, 7) == said


@pytest.mark.parametrize(
    ("form", "said"),
    [(PlainForm.WORDS, b"error: no message id"), (PlainForm.JSON, b'{"request":7,"ok":false,"error":"no message id"}')],
)
def test_what_was_not_done_says_why(form, said):
    assert plain.refusal(form, 7, "no message id") == said


@given(st.lists(headers, max_size=8), st.integers(64, 3000))
def test_the_newest_come_as_far_as_there_is_room(kept, limit_bytes):
    messages = [(number, pack_header(header, limit=512)) for number, header in enumerate(kept)]
    in_words = plain.recent(PlainForm.WORDS, 7, messages, limit_bytes=limit_bytes)
    assert len(in_words) <= limit_bytes
    lines = in_words.decode().split("\n") if in_words else []
    assert [line.split(" ")[0] for line in lines] == [ids.encode(number) for number in range(len(lines))]
    in_json = plain.recent(PlainForm.JSON, 7, messages, limit_bytes=limit_bytes)
    assert len(in_json) <= limit_bytes
    told = json.loads(in_json)
    assert (told["request"], told["ok"]) == (7, True)
    assert [each["id"] for each in told["recent"]] == [ids.encode(number) for number in range(len(told["recent"]))]
    whole = plain.recent(PlainForm.JSON, 7, messages, limit_bytes=10**6)
    assert len(json.loads(whole)["recent"]) == len(kept)
    assert len(told["recent"]) == len(kept) or len(whole) > limit_bytes

"""The shared vectors, run through the clients' own decoder and encoder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import msgpack
import pytest

from clients.contract import topics
from clients.contract.digest import Digest, decode_digest
from clients.contract.errors import ContractError, MalformedError, UnknownVersionError
from clients.contract.header import Header, decode_header, describe, rfc3339
from clients.contract.ids import id_number, received, valid_id
from clients.contract.requests import decode_parts, decode_push, decode_recent, decode_reply, encode_request
from tests.support.contract import digest_of

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
ERRORS = {"version": UnknownVersionError, "malformed": MalformedError}
FIELDS = ("flags", "from_name", "from_address", "subject", "snippet", "size", "detail", "date")


def vectors(file, *, error, kind=None):
    items = json.loads((VECTORS / file).read_text("utf-8"))
    chosen = [item for item in items if ("error" in item) is error and kind in {None, item.get("kind")}]
    assert chosen
    return [pytest.param(item, id=item["name"]) for item in chosen]


def header_of(vector):
    return Header(**{field: vector[field] for field in FIELDS})


@pytest.mark.parametrize("vector", vectors("ids.json", error=False))
def test_id_carries_its_moment(vector):
    assert id_number(vector["id"]) == vector["number"]
    assert rfc3339(received(vector["id"]), "milliseconds") == vector["received"]


@pytest.mark.parametrize("vector", vectors("ids.json", error=True))
def test_what_is_no_id_is_refused(vector):
    assert not valid_id(vector["id"])
    with pytest.raises(MalformedError):
        id_number(vector["id"])


@pytest.mark.parametrize("vector", vectors("headers.json", error=False))
def test_header_is_read(vector):
    header = decode_header(bytes.fromhex(vector["packed"]))
    assert header == header_of(vector)
    assert header.flag_names == vector["flag_names"]


@pytest.mark.parametrize("vector", vectors("headers.json", error=True))
def test_bad_header_is_refused(vector):
    with pytest.raises(ERRORS[vector["error"]]):
        decode_header(bytes.fromhex(vector["packed"]))


@pytest.mark.parametrize("vector", vectors("digests.json", error=False))
def test_digest_is_read_and_computed(vector):
    digest = Digest(vector["live"], vector["check"], vector["newest_id"])
    assert decode_digest(bytes.fromhex(vector["packed"])) == digest
    assert digest_of(vector["ids"]) == digest


@pytest.mark.parametrize("vector", vectors("digests.json", error=True))
def test_bad_digest_is_refused(vector):
    with pytest.raises(ERRORS[vector["error"]]):
        decode_digest(bytes.fromhex(vector["packed"]))


@pytest.mark.parametrize("vector", vectors("requests.json", error=False))
def test_request_is_written(vector):
    packed = encode_request(vector["request_id"], vector["op"], *vector["arguments"])
    assert packed.hex() == vector["packed"]


@pytest.mark.parametrize("vector", vectors("replies.json", error=False, kind="reply"))
def test_reply_is_read(vector):
    reply = decode_reply(bytes.fromhex(vector["packed"]))
    assert (reply.request_id, reply.status) == (vector["request_id"], vector["status"])
    assert (reply.offset, reply.total) == (vector["offset"], vector["total"])
    assert (reply.chunk.hex(), reply.text) == (vector["bytes"], vector["text"])


@pytest.mark.parametrize("vector", vectors("replies.json", error=True, kind="reply"))
def test_bad_reply_is_refused(vector):
    with pytest.raises(ERRORS[vector["error"]]):
        decode_reply(bytes.fromhex(vector["packed"]))


@pytest.mark.parametrize("vector", vectors("replies.json", error=False, kind="recent"))
def test_answer_to_recent_is_read(vector):
    wanted = [(message["id"], header_of(message)) for message in vector["messages"]]
    assert decode_recent(bytes.fromhex(vector["packed"])) == wanted


@pytest.mark.parametrize("vector", vectors("replies.json", error=True, kind="recent"))
def test_bad_answer_to_recent_is_refused(vector):
    with pytest.raises(MalformedError):
        decode_recent(bytes.fromhex(vector["packed"]))


@pytest.mark.parametrize("vector", vectors("replies.json", error=False, kind="parts"))
def test_answer_to_parts_is_read(vector):
    parts = decode_parts(bytes.fromhex(vector["packed"]))
    assert [list(asdict(part).values()) for part in parts] == vector["parts"]


@pytest.mark.parametrize("vector", vectors("replies.json", error=True, kind="parts"))
def test_bad_answer_to_parts_is_refused(vector):
    with pytest.raises(MalformedError):
        decode_parts(bytes.fromhex(vector["packed"]))


@pytest.mark.parametrize("vector", vectors("topics.json", error=False, kind="name"))
def test_name_is_allowed(vector):
    assert topics.valid_name(vector["value"])


@pytest.mark.parametrize("vector", vectors("topics.json", error=True, kind="name"))
def test_name_is_refused(vector):
    assert not topics.valid_name(vector["value"])
    with pytest.raises(MalformedError):
        topics.Mailbox(root="mail", user=vector["value"], device="phone")


@pytest.mark.parametrize("vector", vectors("topics.json", error=False, kind="topic"))
def test_topic_is_taken_apart(vector):
    wanted = topics.Topic(vector["user"], vector["what"], vector["leaf"])
    assert topics.parse(vector["root"], vector["topic"]) == wanted


@pytest.mark.parametrize("vector", vectors("topics.json", error=True, kind="topic"))
def test_strange_topic_is_refused(vector):
    with pytest.raises(MalformedError):
        topics.parse(vector["root"], vector["topic"])


@pytest.mark.parametrize("vector", vectors("views.json", error=False))
def test_message_is_described_as_in_the_views(vector):
    assert describe(vector["id"], header_of(vector)) == vector["last"]


@pytest.mark.parametrize("vector", vectors("headers.json", error=False))
def test_no_start_of_a_header_is_anything_but_an_error_or_a_header(vector):
    packed = bytes.fromhex(vector["packed"])
    for length in range(len(packed)):
        with pytest.raises(ContractError):
            decode_header(packed[:length])


def test_canonical_headers_leave_out_trailing_defaults():
    for parameter in vectors("headers.json", error=False):
        vector = parameter.values[0]
        if vector.get("canonical", True):
            last = msgpack.unpackb(bytes.fromhex(vector["packed"]))[-1]
            assert last == 1 or last not in (0, "", None)


@pytest.mark.parametrize("vector", vectors("replies.json", error=False, kind="push"))
def test_answer_to_push_is_read(vector):
    told = decode_push(bytes.fromhex(vector["packed"]))
    assert asdict(told) == {name: vector[name] for name in ("key", "endpoint", "state", "reason")}


@pytest.mark.parametrize("vector", vectors("replies.json", error=True, kind="push"))
def test_bad_answer_to_push_is_refused(vector):
    with pytest.raises(MalformedError):
        decode_push(bytes.fromhex(vector["packed"]))

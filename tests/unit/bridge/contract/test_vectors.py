"""The shared vectors, run through the bridge's own encoder and its parser of requests."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import msgpack
import pytest

from bridge.contract import ids, topics
from bridge.contract.header import pack_header, unpack_header
from bridge.contract.requests import Status, pack_parts, pack_push, pack_recent, pack_refusal, pack_reply, parse_request
from bridge.contract.views import event_view, flag_names, last_view, pack_digest, text_view
from bridge.directory import User
from bridge.errors import BadRequestError
from bridge.model import Header
from bridge.requests.replies import ReturnPath
from bridge.requests.requests import Requests
from tests.support.book import Book
from tests.support.rung import RingsAnybody

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
FIELDS = ("flags", "from_name", "from_address", "subject", "snippet", "size", "detail", "date")
KNOWN_FLAGS = 4095


def vectors(file, *, error=False, kind=None, canonical=True):
    """The vectors of a file: those to be refused, or those that a writer writes exactly so."""
    items = json.loads((VECTORS / file).read_text("utf-8"))
    chosen = [
        item
        for item in items
        if ("error" in item) is error and kind in {None, item.get("kind")} and item.get("canonical", True) >= canonical
    ]
    assert chosen
    return [pytest.param(item, id=item["name"]) for item in chosen]


def header_of(vector):
    return Header(**{field: vector[field] for field in FIELDS})


@pytest.mark.parametrize("vector", vectors("ids.json"))
def test_an_id_is_its_moment(vector):
    assert ids.encode(vector["number"]) == vector["id"]
    assert ids.decode(vector["id"]) == vector["number"]
    assert ids.at(vector["unix_ms"]) == vector["number"]
    assert ids.received_ms(vector["number"]) == vector["unix_ms"]
    received = datetime.fromtimestamp(vector["unix_ms"] / 1000, UTC)
    assert received.isoformat(timespec="milliseconds").replace("+00:00", "Z") == vector["received"]


@pytest.mark.parametrize("vector", vectors("ids.json", error=True))
def test_what_is_no_id_is_refused(vector):
    with pytest.raises(ValueError, match="not a message id"):
        ids.decode(vector["id"])


@pytest.mark.parametrize("vector", vectors("headers.json"))
def test_a_header_is_written_as_the_vector_says(vector):
    packed = pack_header(header_of(vector), limit=512)
    assert packed.hex() == vector["packed"]
    assert unpack_header(packed) == header_of(vector)


@pytest.mark.parametrize("vector", vectors("headers.json"))
def test_flags_have_the_names_of_the_vector(vector):
    assert flag_names(vector["flags"] & KNOWN_FLAGS) == vector["flag_names"]


@pytest.mark.parametrize("vector", vectors("digests.json"))
def test_a_digest_is_written_as_the_vector_says(vector):
    assert pack_digest(vector["ids"]).hex() == vector["packed"]


@pytest.mark.parametrize("vector", vectors("views.json"))
def test_the_views_of_a_message_are_written_as_the_vector_says(vector):
    number, header = ids.decode(vector["id"]), header_of(vector)
    assert json.loads(last_view(number, header)) == vector["last"]
    assert json.loads(event_view(number, header, user=vector["user"])) == vector["event"]
    assert text_view(header).decode() == vector["text"]


@pytest.mark.parametrize("vector", vectors("requests.json"))
def test_a_request_is_read(vector):
    request = parse_request(bytes.fromhex(vector["packed"]))
    assert (request.request_id, request.operation) == (vector["request_id"], vector["op"])
    assert list(request.arguments) == vector["arguments"]


@pytest.mark.parametrize(
    "vector", [v for v in vectors("requests.json", error=True) if v.values[0]["request_id"] is None]
)
def test_what_is_no_request_is_refused(vector):
    with pytest.raises(BadRequestError):
        parse_request(bytes.fromhex(vector["packed"]))


class OneMessage:
    """A store that has a single small message of user 1, whatever its number."""

    async def set_seen(self, user_id, numbers, *, seen, by):
        del user_id, seen, by
        return len(numbers)

    async def unseen(self, user_id, *, below, limit):
        del user_id, below, limit
        return []

    async def recent(self, user_id, limit):
        del user_id
        return [(1, pack_header(Header(0, "", "a@example.org", "s", "", 9), limit=512))][:limit]

    async def body(self, user_id, number):
        del user_id, number
        return b"Subject: x\r\n\r\nhello\r\n"


def answer(payload):
    """All replies to one request of alice's phone."""
    replies = []

    async def load(stored):
        return stored

    async def reply(path, reply_payload):
        assert path == ReturnPath("mail/alice/re/phone")
        replies.append(msgpack.unpackb(reply_payload))

    async def ask():
        requests = Requests(
            store=OneMessage(),
            pushing=RingsAnybody(),
            named=Book([User(1, "alice")]).named,
            load=load,
            reply=reply,
            root="mail",
            chunk=8192,
            rate=50,
            monotonic=lambda: 0.0,
        )
        await requests.handle("mail/alice/do/phone", payload)

    asyncio.run(ask())
    return replies


@pytest.mark.parametrize(
    "vector", [v for v in vectors("requests.json", error=True) if v.values[0]["error"] == "bad_request"]
)
def test_a_request_that_cannot_be_answered_gets_status_1_under_its_own_id(vector):
    [(version, request_id, status, offset, total, text)] = answer(bytes.fromhex(vector["packed"]))
    assert (version, request_id, status, offset, total) == (1, vector["request_id"], Status.BAD_REQUEST, 0, 0)
    assert isinstance(text, str)
    assert text


@pytest.mark.parametrize("vector", [v for v in vectors("requests.json", canonical=False) if "canonical" in v.values[0]])
def test_what_a_request_leaves_out_is_0_and_what_it_has_more_is_ignored(vector):
    [(version, request_id, status, offset, *_)] = answer(bytes.fromhex(vector["packed"]))
    assert (version, request_id, status, offset) == (1, vector["request_id"], 0, 0)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ([2, 5, "parts", "00t64ks8n"], "unknown version"),
        ([], "not a request"),
        ({}, "not a request"),
        ([True, 5, "parts", "00t64ks8n"], "not a request"),
        ([1, 5, "text", "00t64ks8n", -1], "the offset is not within the answer"),
        ([1, 5, "text", "00t64ks8n", 0, 0], "the limit is less than 1"),
    ],
)
def test_a_refusal_says_what_is_wrong(payload, text):
    assert answer(msgpack.packb(payload))[0][5] == text


@pytest.mark.parametrize("vector", vectors("replies.json", kind="reply"))
def test_a_reply_is_written_as_the_vector_says(vector):
    if vector["status"]:
        packed = pack_refusal(vector["request_id"], status=vector["status"], text=vector["text"])
    else:
        packed = pack_reply(
            vector["request_id"],
            offset=vector["offset"],
            total=vector["total"],
            chunk=bytes.fromhex(vector["bytes"]),
        )
    assert packed.hex() == vector["packed"]


@pytest.mark.parametrize("vector", vectors("replies.json", kind="recent"))
def test_the_answer_to_recent_is_written_as_the_vector_says(vector):
    messages = [(ids.decode(m["id"]), pack_header(header_of(m), limit=512)) for m in vector["messages"]]
    assert pack_recent(messages).hex() == vector["packed"]


@pytest.mark.parametrize("vector", vectors("replies.json", kind="parts"))
def test_the_answer_to_parts_is_written_as_the_vector_says(vector):
    assert pack_parts([tuple(part) for part in vector["parts"]]).hex() == vector["packed"]


@pytest.mark.parametrize("vector", vectors("replies.json", kind="push"))
def test_the_answer_to_push_is_written_as_the_vector_says(vector):
    told = {name: vector[name] for name in ("endpoint", "state", "reason")}
    assert pack_push(vector["key"], **told).hex() == vector["packed"]


@pytest.mark.parametrize("vector", vectors("topics.json", kind="name"))
def test_a_name_is_allowed(vector):
    assert topics.valid_name(vector["value"])


@pytest.mark.parametrize("vector", vectors("topics.json", kind="name", error=True))
def test_a_name_is_refused(vector):
    assert not topics.valid_name(vector["value"])


@pytest.mark.parametrize("vector", vectors("topics.json", kind="topic"))
def test_topics_are_built_as_the_vector_says(vector):
    user, what, leaf = vector["user"], vector["what"], vector["leaf"]
    if what == "msg":
        path = topics.message(user, leaf)
    elif what == "re":
        path = topics.reply(user, leaf)
    elif what == "do":
        assert topics.parse_request(vector["root"], vector["topic"]) == topics.RequestTopic(user, leaf)
        return
    else:
        path = topics.view(user, what)
    assert f"{vector['root']}/{path}" == vector["topic"]


@pytest.mark.parametrize("vector", vectors("topics.json", kind="topic", error=True))
def test_a_strange_topic_is_no_request(vector):
    assert topics.parse_request(vector["root"], vector["topic"]) is None

"""What carries a ring: to whom it goes, to whom it never does, and what a hostile push service can make it cost."""

from __future__ import annotations

import asyncio
import socket
import threading
from ipaddress import ip_network

import pytest

from bridge.push import courier as carrying
from bridge.push.allowing import Allowed
from bridge.push.courier import Courier
from bridge.push.letter import PushLetter, UndeliveredError
from tests.support.push_service import HOST, PushService, Reaction

HERE = Allowed(hosts=frozenset({HOST}))
FIELDS = {"TTL": "60", "Topic": "00t64ks8n", "Content-Encoding": "aes128gcm", "Urgency": "high"}


@pytest.fixture
def service(tmp_path):
    with PushService(tmp_path) as service:
        yield service


def posting(service, *endpoints, allowed=HERE, body=b"sealed", trusted=True):
    """What comes of a letter to each of the endpoints, one after the other."""

    async def post(courier, endpoint):
        host = endpoint.removeprefix("https://").partition("/")[0].rpartition(":")[0].strip("[]")
        try:
            return await courier.post(PushLetter(endpoint, host, FIELDS, body))
        except UndeliveredError as error:
            return str(error)

    async def story():
        courier = Courier(allowed=allowed, context=service.trust if trusted else None)
        try:
            return [await post(courier, endpoint) for endpoint in endpoints]
        finally:
            await courier.close()

    return asyncio.run(story())


def test_a_letter_arrives_as_it_was_written(service):
    [answer] = posting(service, service.endpoint("a%2Fb?x=1"), body=b"\0sealed\xff")
    assert answer.status == 201
    assert answer.date
    [post] = service.posts
    assert (post.path, post.body) == ("/push/a%2Fb?x=1", b"\0sealed\xff")
    assert FIELDS.items() <= post.fields.items()
    assert not {"User-Agent", "Cookie", "Accept-Encoding"} & post.fields.keys(), "nobody hears what we are"


def test_two_letters_take_one_connection(service):
    assert [each.status for each in posting(service, service.endpoint(), service.endpoint())] == [201, 201]


@pytest.fixture
def named(monkeypatch):
    """Has a name server say what the test wants; how often each name was asked for."""
    asked, answers = [], {}
    look_up = socket.getaddrinfo

    def answer(host, port, *arguments, **options):
        if host not in answers:
            return look_up(host, port, *arguments, **options)
        asked.append(host)
        address = answers[host][min(asked.count(host), len(answers[host])) - 1]
        return look_up(address, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked, answers


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1", "224.0.0.1", "0.0.0.0"],
)
def test_a_name_that_stands_for_an_address_nobody_listed_is_not_followed(service, named, address):
    asked, answers = named
    answers["evil.example.net"] = [address]
    [said] = posting(service, f"https://evil.example.net:{service.port}/x")
    assert said == f"evil.example.net is {address}, and that is no public address; push.allow does not list it"
    assert (asked, service.posts) == (["evil.example.net"], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0"])
def test_an_address_nobody_listed_is_not_gone_to(service, host):
    [said] = posting(service, f"https://{host}:{service.port}/x")
    assert said.endswith("is no public address; push.allow does not list it")
    assert service.posts == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
def test_nor_is_one_that_is_written_in_a_strange_way(service, host):
    [said] = posting(service, f"https://{host}:{service.port}/x")
    assert isinstance(said, str)
    assert service.posts == []


def test_a_listed_hosts_address_is_nobody_elses(service, named):
    _, answers = named
    answers["evil.example.net"] = ["127.0.0.1"]
    answer, said = posting(service, service.endpoint(), f"https://evil.example.net:{service.port}/x")
    assert answer.status == 201
    assert "is no public address" in said
    assert len(service.posts) == 1


def test_a_listed_network_is_gone_to(service):
    [said] = posting(
        service, f"https://127.0.0.1:{service.port}/x", allowed=Allowed(networks=(ip_network("127.0.0.0/8"),))
    )
    assert said == "its certificate is not for this name, or of no known authority", "which comes behind the connection"


def test_a_name_that_changes_its_mind_is_asked_once(service, named):
    """What was judged is what is connected to: a second answer is never heard (DNS rebinding)."""
    asked, answers = named
    answers[HOST] = ["127.0.0.1", "10.0.0.5"]
    [answer] = posting(service, service.endpoint())
    assert (answer.status, asked) == (201, [HOST])


def test_nothing_leads_elsewhere(service):
    for status in (301, 302, 303, 307, 308):
        service.reactions.append(Reaction(status, (("Location", service.endpoint("elsewhere")),)))
    answers = posting(service, *[service.endpoint()] * 5)
    assert [answer.status for answer in answers] == [301, 302, 303, 307, 308]
    assert {post.path for post in service.posts} == {"/push/abc"}


def test_who_is_not_trusted_gets_nothing(service):
    assert posting(service, service.endpoint(), trusted=False) == [
        "its certificate is not for this name, or of no known authority"
    ]
    assert service.posts == []


def test_who_does_not_answer_is_left_in_time(service, monkeypatch):
    monkeypatch.setattr(carrying, "DEADLINE_S", 0.3)
    never = threading.Event()
    service.reactions.append(Reaction(until=never))
    assert posting(service, service.endpoint()) == ["it did not answer in time"]
    never.set()


def test_who_answers_without_end_is_read_no_further(service):
    service.reactions.append(Reaction(400, body=b"x" * 5_000_000))
    [answer] = posting(service, service.endpoint())
    assert (answer.status, len(answer.said)) == (400, carrying.SAID_BYTES)


def test_who_sends_fields_without_end_is_not_read(service):
    service.reactions.append(Reaction(201, (("X-Long", "x" * 20_000),)))
    assert posting(service, service.endpoint()) == ["it does not speak HTTP as it should"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"", "it closed the connection"),
        (b"220 mail.example.org\r\n", "it speaks no TLS"),
    ],
)
def test_who_speaks_otherwise(service, words, said):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def meet():
            with server.accept()[0] as met:
                met.recv(1)
                met.sendall(words)

        threading.Thread(target=meet, daemon=True).start()
        [found] = posting(service, f"https://{HOST}:{server.getsockname()[1]}/x")
    assert found in {said, "it speaks no TLS", "it closed the connection", "Connection reset by peer"}


def test_nobody_there(service):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    [said] = posting(service, f"https://{HOST}:{port}/x")
    assert "refused" in said.lower() or "Connect call failed" in said


def test_a_name_without_address(service, named):
    _, answers = named
    answers["nowhere.example.net"] = ["no.such.host.invalid"]
    assert posting(service, "https://nowhere.example.net/x") == ["its name has no address"]

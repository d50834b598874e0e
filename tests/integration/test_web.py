"""The web client's server as it runs: a process of its own beside the bridge, with one port for all."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import ssl
from base64 import urlsafe_b64decode

import pytest
from websockets.exceptions import InvalidStatus

from bridge.http import shelf
from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.certificates import self_signed
from tests.support.mqtt_page import PageMqtt
from tests.support.outside import OutsideSystem
from tests.support.system import System
from tests.support.waiting import PATIENCE_S, until

HTTP = {"POSTBELL_HTTP__LISTEN": "127.0.0.1:0"}


def get(system, path, *, method="GET", context=None, **headers):
    """Status, headers and body of a page."""
    address = system.facts("bridge")["http"]
    kind = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    connection = kind(address, timeout=PATIENCE_S, **({} if context is None else {"context": context}))
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def logged(system, event, log="serve"):
    """The fields of each such event so far."""
    lines = (system.directory / f"{log}.log").read_text(errors="replace").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in events if each["event"] == event]


def page_of(system, login, *, source="127.0.0.1", scheme="ws", **options):
    """A page of a device that has logged in; `source` is its address."""
    host, _, port = system.facts("bridge")["http"].rpartition(":")
    dialled = socket.create_connection((host, int(port)), timeout=PATIENCE_S, source_address=(source, 0))
    page = PageMqtt(f"{scheme}://{host}:{port}/mqtt", sock=dialled, **options)
    page.send(mqtt.connect("p", username=login["username"], password=login["password"], clean=False))
    assert page.expect(mqtt.CONNACK).body[1] == 0
    return page


def online(system):
    """The one device, once it is listed as online."""
    listed = json.loads(system.run("device", "list", "--json").stdout)
    return next((each for each in listed if each["online"]), None)


def mail_comes(system, page):
    """A mail that is sent comes to a page, and a request of the page is answered."""
    page.subscribe("mail/alice/msg/+", "mail/alice/re/#")
    number = system.send(b"Subject: Rings\r\n\r\nIn the browser.\r\n", "alice@example.org")
    told = page.expect(mqtt.PUBLISH)
    assert (told.topic, b"Rings" in told.payload) == (f"mail/alice/msg/{number}", True)
    page.send(mqtt.puback(told.packet_id))
    page.send(mqtt.publish("mail/alice/do/phone", b"recent", qos=1, packet_id=7))
    answers = {packet.kind: packet for packet in (page.receive(), page.receive())}
    assert mqtt.PUBACK in answers
    assert number.encode() in answers[mqtt.PUBLISH].payload


def test_a_page_gets_mail_and_asks_and_the_broker_knows_where_it_is(tmp_path):
    with System(tmp_path, **HTTP) as system:
        system.serve()
        with page_of(system, system.add("alice"), source="127.0.0.77") as page:
            mail_comes(system, page)
            device = until(lambda: online(system), what="the device to be online")
            assert device["address"] == "127.0.0.77"
            assert device["client"]["transport"] == "websocket"


def test_limits_by_address_are_those_of_pages(tmp_path):
    with System(tmp_path, **HTTP, POSTBELL_LIMITS__CLIENTS_PER_ADDRESS="1") as system:
        system.serve()
        alice, bob = system.add("alice"), system.add("bob")
        with page_of(system, alice, source="127.0.0.77"), page_of(system, bob, source="127.0.0.78"):
            carol = system.add("carol")
            with pytest.raises(AssertionError):
                page_of(system, carol, source="127.0.0.78")
            refused = until(lambda: logged(system, "connection_refused"), what="the refusal")
            assert (refused[0]["reason"], refused[0]["address"]) == ("too_many_from_address", "127.0.0.78")


def test_with_another_broker_a_page_gets_mail_as_well(tmp_path):
    need("mosquitto")
    with OutsideSystem(tmp_path, "mosquitto", **HTTP) as system:
        system.start("serve")
        system.wait_connected()
        login = system.asked("device", "add", "bob", "phone")
        with page_of(system, login) as page:
            page.subscribe("mail/bob/msg/+")
            system.send(b"Subject: Rings\r\n\r\n", "bob@example.org")
            assert b"Rings" in page.expect(mqtt.PUBLISH).payload
        system.broker.stop(signal.SIGKILL)
        host = system.facts("bridge")["http"]
        with PageMqtt(f"ws://{host}/mqtt") as page:
            assert page.closed == 1013


def test_one_port_and_one_certificate_do(tmp_path):
    chain, key = self_signed(tmp_path, "web")
    files = {"POSTBELL_HTTP__TLS_CERT": str(chain), "POSTBELL_HTTP__TLS_KEY": str(key)}
    trusting = ssl.create_default_context(cafile=chain)
    trusting.check_hostname = False
    with System(tmp_path, **HTTP, **files) as system:
        system.serve()
        assert get(system, "/healthz", context=trusting)[0] == 200
        assert get(system, "/contract/ids.js", context=trusting)[0] == 200
        login = system.add("alice")
        with page_of(system, login, scheme="wss", ssl=trusting) as page:
            mail_comes(system, page)
        host = system.facts("bridge")["http"]
        assert login["web_url"].startswith(f"https://{host}/#pair=")
        assert login["wss_url"] == f"wss://{host}/mqtt"


def test_files_are_served_as_browsers_want_them(tmp_path):
    with System(tmp_path, **HTTP) as system:
        system.serve()
        path = "/contract/ids.js"
        content = (shelf.CLIENT / path[1:]).read_bytes()
        status, headers, body = get(system, path)
        assert (status, body, headers["Content-Encoding"]) == (200, content, None)
        assert headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Content-Security-Policy"] == shelf.POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert get(system, path, If_None_Match=headers["ETag"])[::2] == (304, b"")
        status, packed, body = get(system, path, Accept_Encoding="br, gzip")
        assert (gzip.decompress(body), packed["Content-Encoding"]) == (content, "gzip")
        assert packed["ETag"] != headers["ETag"]
        assert get(system, path, method="HEAD")[1]["Content-Length"] == str(len(content))
        assert get(system, path, method="POST")[0] == 405
        assert get(system, "/contract/")[0] == 404
        assert get(system, "/../bridge/__init__.py")[0] == 404
        told = get(system, "/metrics")[2].decode()
        assert 'status="304"} 1' in told, "what that process answered is counted"


def test_who_is_killed_is_started_again_and_nobody_is_refused_meanwhile(tmp_path):
    with System(tmp_path, **HTTP) as system:
        system.serve()
        before = until(lambda: logged(system, "web_started"), what="the process")[0]["pid"]
        address = system.facts("bridge")["http"]
        with page_of(system, system.add("alice")) as page:
            os.kill(before, signal.SIGKILL)
            assert page.receive() is None
        assert get(system, "/healthz")[0] == 200
        assert logged(system, "web_died")[0]["code"] == -signal.SIGKILL
        assert logged(system, "web_started")[-1]["pid"] != before
        assert system.facts("bridge")["http"] == address
        system.processes[0].kill()
        after = logged(system, "web_started")[-1]["pid"]
        until(lambda: not alive(after), what="it to go when the bridge is gone")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_other_settings_hold_without_a_restart(tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text('[http]\nnetworks = "127.0.0.0/8"\n')
    with System(tmp_path, **HTTP, POSTBELL_CONFIG=str(file)) as system:
        system.serve()
        assert get(system, "/healthz")[0] == 200
        origin = "https://mail.example.org"
        url = f"ws://{system.facts('bridge')['http']}/mqtt"
        with pytest.raises(InvalidStatus):
            PageMqtt(url, origin=origin)
        file.write_text(f'[http]\nnetworks = "192.0.2.0/24"\npublic_url = "{origin}"\n')
        system.run("reload")
        until(lambda: get(system, "/healthz")[0] == 403, what="the other networks to hold")
        PageMqtt(url, origin=origin).close()


def test_the_web_client_may_be_switched_off(tmp_path):
    with System(tmp_path, **HTTP, POSTBELL_HTTP__WEB="false") as system:
        system.serve()
        assert get(system, "/healthz")[0] == 200
        assert get(system, "/mqtt")[0] == get(system, "/contract/ids.js")[0] == 404
        assert not logged(system, "web_started")
        assert "web_url" not in system.add("alice")


def test_a_link_pairs_and_says_its_secret_behind_the_fragment_alone(tmp_path):
    with System(tmp_path, **HTTP, POSTBELL_HTTP__PUBLIC_URL="https://mail.example.org") as system:
        login = system.add("alice", "browser")
        place, _, fragment = login["web_url"].partition("#pair=")
        assert place == "https://mail.example.org/"
        told = json.loads(urlsafe_b64decode(fragment + "=" * (-len(fragment) % 4)))
        assert told == {"u": "alice", "d": "browser", "p": login["password"]}
        shown = system.run("device", "password", "alice", "browser", "--qr").stdout
        assert "web_url   https://mail.example.org/#pair=" in shown
        assert "█" in shown

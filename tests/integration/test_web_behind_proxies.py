"""The recipes for nginx and Caddy before the web client of docs/operations.md, with the real programs."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import tempfile
from pathlib import Path

import pytest

from tests.conftest import need
from tests.integration.test_broker_behind_proxies import DEVICE, Front, recipe
from tests.support import mqtt_client as mqtt
from tests.support.certificates import self_signed
from tests.support.mqtt_page import PageMqtt
from tests.support.system import System
from tests.support.waiting import PATIENCE_S, free_port, until


class WebFront(Front):
    """A proxy as the page has it, on a free port, before a web server."""

    def __init__(self, program, directory, web):
        self.directory = directory
        self.ports = {"wss": free_port()}
        chain, key = self_signed(directory, "front")
        both = directory / "both.pem"
        both.write_bytes(chain.read_bytes() + key.read_bytes())
        text = recipe(f"{program}-web").replace("127.0.0.1:8080", web)
        text = text.replace("/etc/ssl/mail.example.org.pem", str(both)).replace(
            "/etc/ssl/mail.example.org.key", str(key)
        )
        text = text.replace("mail.example.org {", f"https://localhost:{self.ports['wss']} {{\n    tls {chain} {key}")
        text = re.sub(r"listen 443\b", f"listen {self.ports['wss']}", text)
        self.command = getattr(self, f"_{program}")(f"http {{\n{text}}}\n" if program == "nginx" else text)


@pytest.mark.parametrize("program", ["nginx", "caddy"])
def test_page_and_broker_are_reached_and_the_device_is_known(program):
    need(program)
    directory = Path(tempfile.mkdtemp(prefix="postbell-front-"))  # which nginx's workers may enter as another user
    directory.chmod(0o755)
    overrides = {
        "POSTBELL_HTTP__LISTEN": "127.0.0.1:0",
        "POSTBELL_HTTP__PROXIES": "127.0.0.1",
        "POSTBELL_HTTP__PUBLIC_URL": "https://mail.example.org",
    }
    with System(directory, **overrides) as system:
        system.serve()
        login = system.add("alice")
        with WebFront(program, directory, system.facts("bridge")["http"]) as front:
            trusting = ssl.create_default_context(cafile=directory / "front.pem")
            answers = {}
            for path in ("/contract/ids.js", "/healthz", "/metrics"):
                asking = http.client.HTTPSConnection(
                    "localhost", front.ports["wss"], timeout=PATIENCE_S, context=trusting
                )
                asking.request("GET", path)
                answers[path] = asking.getresponse().status
                asking.close()
            assert answers == {"/contract/ids.js": 200, "/healthz": 403, "/metrics": 403}
            connection = front.connection("wss")
            url = f"wss://localhost:{front.ports['wss']}/mqtt"
            with PageMqtt(url, sock=connection, ssl=trusting, origin="https://mail.example.org") as page:
                page.send(mqtt.connect("p", username=login["username"], password=login["password"], keepalive=60))
                assert page.expect(mqtt.CONNACK).body[1] == 0
                assert until(lambda: address_of_the_device(system), what="the device") == DEVICE
    shutil.rmtree(directory)


def address_of_the_device(system):
    return json.loads(system.run("device", "list", "--json").stdout)[0]["address"]

"""The recipes for nginx, HAProxy and Caddy of docs/operations.md, with the real programs: the log knows the device."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import need
from tests.integration.test_broker_proxies import HELLO, Behind, told
from tests.support import mqtt_client as mqtt
from tests.support.certificates import self_signed
from tests.support.mqtt_broker import EmbeddedBroker
from tests.support.waiting import free_port, listens, until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
DEVICE = "127.0.0.77"
WRONG = mqtt.connect("c", username="alice.phone", password="wrong")
USUAL = {"mqtts": 8883, "mqtt": 8884, "wss": 443}
PROGRAMS = ["nginx", "haproxy", "caddy"]


def recipe(name):
    """The configuration that the page has for a program."""
    found = re.search(rf"```{name}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, name
    return found[1]


class Front:
    """A proxy as the page has it, on free ports, before a broker."""

    def __init__(self, program, directory, broker):
        self.directory = directory
        names = ["wss"] if program == "caddy" else ["mqtts", "mqtt", "wss"]
        self.ports = {name: free_port() for name in names}
        chain, key = self_signed(directory, "front")
        both = directory / "both.pem"
        both.write_bytes(chain.read_bytes() + key.read_bytes())
        text = recipe(program)
        for old, new in {
            "127.0.0.1:9883": "127.0.0.1:{}".format(broker.address("mqtts")[1]),
            "127.0.0.1:1883": "127.0.0.1:{}".format(broker.address("mqtt")[1]),
            "127.0.0.1:9001": "127.0.0.1:{}".format(broker.address("websocket")[1]),
            "/etc/ssl/mail.example.org.pem": both,
            "/etc/ssl/mail.example.org.key": key,
            "mail.example.org {": f"https://localhost:{self.ports['wss']} {{\n    tls {chain} {key}",
        }.items():
            text = text.replace(old, str(new))
        for name, port in self.ports.items():
            text = re.sub(rf"(listen |bind :){USUAL[name]}\b", rf"\g<1>{port}", text)
        self.command = getattr(self, f"_{program}")(text)

    def _nginx(self, text):
        modules = "".join(
            f"load_module {path};\n" for path in Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so")
        )
        temporary = "".join(
            f"{kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = text.replace("http {", f"http {{\naccess_log off;\n{temporary}")
        head = f"{modules}daemon off;\npid {self.directory}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        (self.directory / "nginx.conf").write_text(head + text)
        return [need("nginx"), "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", "stderr"]

    def _caddy(self, text):
        (self.directory / "Caddyfile").write_text(f"{{\n    admin off\n    auto_https off\n}}\n{text}")
        return [need("caddy"), "run", "--adapter", "caddyfile", "--config", self.directory / "Caddyfile"]

    def _haproxy(self, text):
        defaults = "defaults\n    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n"
        (self.directory / "haproxy.cfg").write_text(defaults + text)
        return [need("haproxy"), "-db", "-f", self.directory / "haproxy.cfg"]

    def __enter__(self):
        self.log = (self.directory / "front.log").open("wb")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

        def ready():
            assert self.process.poll() is None, (self.directory / "front.log").read_text()
            return all(listens(("127.0.0.1", port)) for port in self.ports.values())

        until(ready, what="the proxy to listen")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def connection(self, name, *, tls=None):
        plain = socket.create_connection(("127.0.0.1", self.ports[name]), 10, source_address=(DEVICE, 0))
        return tls.wrap_socket(plain, server_hostname="localhost") if tls else plain


@pytest.fixture(params=PROGRAMS)
def front(request):
    need(request.param)
    directory = Path(tempfile.mkdtemp(prefix="postbell-front-"))  # which nginx's workers may enter as another user
    directory.chmod(0o755)
    chain, key = self_signed(directory)
    config = (
        '[broker]\ntls_listen = "127.0.0.1:0"\nwebsocket = "127.0.0.1:0"\nproxies = ["127.0.0.1"]\n'
        f'tls_cert = "{chain}"\ntls_key = "{key}"\n'
    )
    broker = EmbeddedBroker(directory, config=config)
    broker.logins.add("alice.phone")
    with broker, Front(request.param, directory, broker) as front:
        front.broker = broker
        yield front
    shutil.rmtree(directory)


def code(connection, hello):
    connection.sendall(hello)
    answer = b""
    while len(answer) < 4 and (more := connection.recv(4 - len(answer))):
        answer += more
    return answer[-1]


def test_the_broker_knows_the_device_behind_it(front):
    passed = ssl.create_default_context(cafile=front.directory / "server.pem")
    ended = ssl.create_default_context(cafile=front.directory / "front.pem")
    for name, context in (("mqtts", passed), ("mqtt", ended)):
        if name not in front.ports:
            continue  # Caddy, which passes on no plain TCP
        with front.connection(name, tls=context) as phone:
            assert code(phone, HELLO) == 0
        with front.connection(name, tls=context) as guesser:
            assert code(guesser, WRONG) == 4
        assert told(front.broker)[-1] == ("login_failed", DEVICE, None)
    for fields in ([], ["X-Forwarded-For: 203.0.113.9"]):
        with OverFront(front, ended, fields) as phone:
            assert phone.status == "101"
            assert phone.code(WRONG) == 4
        assert told(front.broker)[-1] == ("login_failed", DEVICE, None)


class OverFront(Behind):
    """A WebSocket through the proxy, which ends TLS."""

    def __init__(self, front, context, fields):
        self.socket = front.connection("wss", tls=context)
        self.framed = True
        self.status = self._upgrade(fields)

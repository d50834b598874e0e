"""What keeps a scratch apart from the installation whose configuration it has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bridge.bench import processor
from bridge.bench.scratch import NotRunningError, environment, scratch
from bridge.config import keys, loading

INSTALLATION = """
state_dir = "/nowhere/real"
[smtp]
listen = "0.0.0.0:25"
tls_listen = "0.0.0.0:465"
tls_cert = "/nowhere/cert.pem"
tls_key = "/nowhere/key.pem"
networks = ["192.0.2.0/24"]
proxies = ["127.0.0.0/8"]
max_size = "1M"
[lmtp]
listen = "unix:/nowhere/lmtp.sock"
[broker]
embedded = false
tls_listen = "0.0.0.0:8883"
tls_cert = "/nowhere/cert.pem"
tls_key = "/nowhere/key.pem"
proxies = ["127.0.0.0/8"]
[mqtt]
url = "mqtts://broker.example.org"
password_file = "/nowhere/password"
root = "post"
[http]
listen = "0.0.0.0:443"
"""


def test_it_is_configured_alike_and_reached_by_nobody_else(tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text(INSTALLATION)
    settings = loading.load(file, environ=environment({}, tmp_path / "scratch", mails=123))
    assert settings.state_dir == tmp_path / "scratch"
    assert (settings.smtp.max_size, settings.mqtt.root, settings.retain.count) == (2**20, "post", 123)
    assert settings.broker.embedded
    off = (settings.mqtt.url, settings.mqtt.password_file, settings.http.listen, settings.lmtp.listen)
    assert off == (None,) * 4
    assert (str(settings.smtp.listen), str(settings.broker.listen)) == ("127.0.0.1:0", "127.0.0.1:0")
    assert "/nowhere" not in str(settings)


def test_every_listener_that_there_is_is_moved_or_off():
    moved = environment({}, Path("scratch"), mails=1)
    every = [key.name for chapter in keys.chapters() for key in chapter.keys]
    listeners = [name for name in every if name.endswith(("listen", "websocket"))]
    assert len(listeners) == 8
    for name in listeners:
        assert moved["POSTBELL_" + name.replace(".", "__").upper()] in {"", "127.0.0.1:0"}


def test_one_that_does_not_start_is_told_with_its_last_words_and_leaves_nothing(tmp_path):
    failing = [sys.executable, "-c", "raise SystemExit('no ground to stand on')"]
    with (
        pytest.raises(NotRunningError, match="no ground to stand on"),
        scratch(failing, None, within=tmp_path, mails=1),
    ):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []


def test_a_family_is_a_process_and_all_that_it_started():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    try:
        assert {os.getpid(), child} <= processor.family(os.getpid())
        assert processor.used_s({os.getpid(), child})
    finally:
        os.close(writing)
        os.waitpid(child, 0)
        os.close(reading)
    assert processor.used_s({child}) is None

"""The process of the web server as the bridge keeps it: where it cannot be started, has to wait, or is told nothing."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import LOOPBACK, TcpAddress
from bridge.daemon.web_host import WebHost
from bridge.errors import ConfigurationError
from bridge.http import opening
from bridge.http.channel import WebSettings
from bridge.http.health import alive
from bridge.http.server import HttpSettings
from bridge.http.upstream import Upstream
from bridge.publish.backoff import Backoff
from tests.support.http import GET, Wire, told
from tests.support.system import ROOT
from tests.support.waiting import PATIENCE_S, until_on_loop

TOLD = WebSettings(upstream=Upstream(host="127.0.0.1", port=1), networks=LOOPBACK)


def host(listen, *, answered=lambda _status, _count: None, more=None):
    return WebHost(
        settings=HttpSettings(listen=listen),
        told=replace(TOLD, **more or {}),
        pages={"/healthz": alive},
        backoff=Backoff(first_s=0.01, longest_s=0.01),
        jitter=lambda: 0.0,
        monotonic=asyncio.get_running_loop().time,
        answered=answered,
        listening=lambda: None,
    )


async def ended(task):
    task.cancel()
    await asyncio.wait({task})


def test_what_cannot_be_started_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    async def story():
        with pytest.raises(ConfigurationError, match="the web server cannot be started"):
            await host(TcpAddress("127.0.0.1", 0)).run()

    told(story)


def test_an_address_in_use_is_waited_for_and_then_served(monkeypatch):
    monkeypatch.setattr(opening, "RETRY_S", 0.02)

    async def story():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            web = host(TcpAddress("127.0.0.1", port))
            web.prepare(HttpSettings(listen=TcpAddress("127.0.0.1", port)), TOLD)()  # nobody is there to be told
            running = asyncio.create_task(web.run())
            await until_on_loop(lambda: web.awaited, what="the wait to be told")
        await until_on_loop(lambda: web.address, what="it to listen")
        assert web.awaited == ""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        assert (await wire.ask(GET % b"/healthz")).body == b"alive\n"
        wire.writer.close()
        await ended(running)
        assert web.address is None

    told(story)


@pytest.mark.parametrize(
    ("listen", "told_of", "warned"),
    [
        ("0.0.0.0", {}, True),
        ("127.0.0.1", {}, False),
        ("0.0.0.0", {"proxies": LOOPBACK}, False),
        ("0.0.0.0", {"origin": "https://mail.example.org"}, False),
        ("0.0.0.0", {"origin": "http://mail.example.org"}, True),
    ],
)
def test_passwords_in_the_clear_are_warned_of(listen, told_of, warned):
    async def story():
        with capture_logs() as said:
            running = asyncio.create_task((web := host(TcpAddress(listen, 0), more=told_of)).run())
            await until_on_loop(lambda: web.address, what="it to listen")
            await ended(running)
        assert any(event["event"] == "web_in_the_clear" for event in said) is warned

    told(story)


def test_how_it_answered_is_told():
    async def story():
        answered = []
        web = host(TcpAddress("127.0.0.1", 0), answered=lambda status, count: answered.append((status, count)))
        running = asyncio.create_task(web.run())
        await until_on_loop(lambda: web.address, what="it to listen")
        wire = Wire(*await asyncio.open_connection("127.0.0.1", web.address.port))
        assert (await wire.ask(GET % b"/nothing")).status == 404
        assert (await wire.ask(GET % b"/healthz")).status == 200
        assert answered == [(404, 1)], "before a page of the bridge's own"
        wire.writer.close()
        await ended(running)

    told(story)


def test_it_ends_when_nobody_tells_it_anything():
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, theirs:
        ours.close()
        command = [sys.executable, "-m", "bridge.web", "--channel", str(theirs.fileno())]
        done = subprocess.run(
            [*command, f"--listen={listener.fileno()}"],
            cwd=ROOT,
            pass_fds=(theirs.fileno(), listener.fileno()),
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0

"""Health and readiness of a running bridge, asked over HTTP as a monitor does."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bridge.box.live_set import Retention
from bridge.config.endpoints import TcpAddress
from bridge.daemon.clock import wall_ms
from bridge.daemon.seeing import Seeing
from bridge.errors import ConfigurationError
from bridge.store import database
from bridge.store.store import Store
from tests.support.configured import configured
from tests.support.system import ROOT, System
from tests.support.waiting import PATIENCE_S, until

HTTP = {"POSTBELL_HTTP__LISTEN": "127.0.0.1:0"}


def get(system, path):
    """Status and text of a page; none while there is nobody who answers."""
    address = system.facts("bridge").get("http")
    if not address:
        return None
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_bridge_is_alive_at_once_and_ready_with_its_broker(tmp_path):
    with System(tmp_path, **HTTP) as system:
        system.start("bridge")
        until(lambda: get(system, "/healthz") == (200, "alive\n"), what="the bridge to be alive")
        status, text = get(system, "/readyz")
        assert status == 503
        assert text.startswith("not ready\nbroker: not connected: the broker has not said yet where it listens")
        broker = system.start(module="broker", log="broker")
        until(lambda: get(system, "/readyz") == (200, "ready\n"), what="the bridge to be ready")
        assert system.status()["listeners"]["http"] == system.facts("bridge")["http"]
        system.stop(broker)
        until(lambda: get(system, "/readyz")[0] == 503, what="the loss of the broker to be told")
        assert get(system, "/nothing") == (404, "Not Found\n")
        address = system.facts("bridge")["http"]
        for process in system.processes:
            system.stop(process)
        system.start("bridge")
        until(lambda: system.facts("bridge").get("http"), what="the next bridge to listen")
        assert system.facts("bridge")["http"] == address, "port 0 takes the port of the last time"


def test_http_is_not_so_much_as_imported_where_nobody_wants_it():
    code = (
        "import sys, bridge.daemon.process; print([name for name in sys.modules if name in {'aiohttp', 'bridge.http'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_certificate_that_cannot_be_used_ends_the_start(tmp_path):
    (tmp_path / "cert.pem").write_text("none")
    files = {
        "POSTBELL_HTTP__TLS_CERT": str(tmp_path / "cert.pem"),
        "POSTBELL_HTTP__TLS_KEY": str(tmp_path / "cert.pem"),
    }
    with System(tmp_path, **HTTP, **files) as system:
        done = system.run("bridge", check=False)
        assert done.returncode == 2
        assert "http.tls_cert = " in done.stderr
        assert "Traceback" not in done.stderr


# --- each part in itself --------------------------------------------------------------------------------


def parts(tmp_path, store=None, *, addresses=None, connection=None, trouble="", **sections):
    """A bridge as far as it is looked at."""
    return SimpleNamespace(
        settings=configured(state_dir=tmp_path, **sections),
        store=store,
        ingress=SimpleNamespace(addresses=addresses or {}),
        main=SimpleNamespace(connected=SimpleNamespace(connection=connection), link=SimpleNamespace(trouble=trouble)),
        listening={},
        presence=SimpleNamespace(tell=lambda: None),
    )


def seen(bridge):
    return Seeing(bridge, listen=TcpAddress("127.0.0.1", 0))


def test_a_listener_that_is_not_open_yet_is_not_ready(tmp_path):
    async def story():
        lmtp = {"listen": "unix:/run/lmtp"}
        assert await seen(parts(tmp_path, addresses={"smtp": "127.0.0.1:1"}, lmtp=lmtp))._mail() == (
            "lmtp does not listen yet at unix:/run/lmtp"
        )
        assert not await seen(parts(tmp_path, addresses={"smtp": "127.0.0.1:1"}))._mail()

    asyncio.run(story())


def test_the_broker_is_ready_while_there_is_a_connection(tmp_path):
    async def story():
        assert not await seen(parts(tmp_path, connection=object()))._broker()
        assert await seen(parts(tmp_path, trouble="refused"))._broker() == "not connected: refused"
        assert "under way" in await seen(parts(tmp_path))._broker()

    asyncio.run(story())


def test_a_store_that_takes_no_write_is_not_ready_and_recovers(tmp_path, restricted):
    async def story():
        settings = configured(state_dir=tmp_path)
        database.prepare(settings.database)
        store = Store(settings.database, now_ms=wall_ms, retention=Retention(10, 7), changed=lambda _: None)
        seeing = seen(parts(tmp_path, store))
        assert not await seeing._store()
        await store.close()
        restricted.add("query_only = 1")
        store = Store(settings.database, now_ms=wall_ms, retention=Retention(10, 7), changed=lambda _: None)
        seeing = seen(parts(tmp_path, store))
        assert "readonly" in await seeing._store()
        restricted.clear()
        assert not await seeing._store()
        await store.close()

    asyncio.run(story())


def test_a_key_without_its_certificate_is_told(tmp_path):
    async def story():
        with pytest.raises(ConfigurationError, match=r"^http\.tls_key: needs http\.tls_cert"):
            seen(parts(tmp_path, http={"tls_key": tmp_path / "key.pem"}))

    asyncio.run(story())


def test_status_can_be_watched_until_ctrl_c(tmp_path):
    with System(tmp_path) as system:
        system.serve()
        system.add("alice")
        watching = system.start("status", "--watch", "--json")
        log = tmp_path / "status.log"
        until(lambda: log.read_text().count("\n") >= 1, what="the first look")
        system.send(b"Subject: x\r\n\r\nx\r\n", "alice@example.org")
        until(lambda: '"accepted": 1' in log.read_text(), what="the mail to show")
        assert system.stop(watching, signal.SIGINT) == 0
        looks = [json.loads(line) for line in log.read_text().splitlines()]
        assert (looks[0]["figures"]["accepted"], looks[-1]["figures"]["accepted"]) == (0, 1)
        assert all(look["ok"] for look in looks)

"""`postbell device list` beside a running broker: who is online, who was when, and two apps with one login."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack

from bridge.store import visits
from tests.support import mqtt_client as mqtt
from tests.support.system import System
from tests.support.waiting import until


def listed(system):
    [device] = json.loads(system.run("device", "list", "--json").stdout)
    return device


def connected(system, login, client_id="app"):
    client = mqtt.Raw(("127.0.0.1", system.mqtt_port()))
    client.send(mqtt.connect(client_id, username=login["username"], password=login["password"], clean=False))
    assert client.expect(mqtt.CONNACK).body[1] == 0
    return client


def until_noted(system, holds):
    def look():
        visit = visits.read(system.state_dir / "sessions.db", running=True).get("alice.phone")
        return visit is not None and holds(visit)

    until(look, what="the broker to note it")


def test_who_is_online_who_was_and_two_apps_with_one_login(tmp_path):
    with System(tmp_path) as system:
        login = system.add("alice")
        serving = system.serve()
        before = listed(system)
        assert (before["online"], before["last_seen"], before["client"], before["push"]) == (False, None, None, None)

        with connected(system, login):
            until_noted(system, lambda visit: visit.online)
            online = listed(system)
            assert (online["online"], online["address"]) == (True, "127.0.0.1")
            assert online["client"] == {"id": "app", "protocol": "3.1.1", "transport": "tcp", "tls": False}
            assert online["last_seen"] >= online["since"] >= before["created"]
        until_noted(system, lambda visit: not visit.online)
        assert listed(system)["online"] is False

        with ExitStack() as apps:
            for number in range(6):
                apps.enter_context(connected(system, login, f"app {number % 2}"))
            until_noted(system, lambda visit: visit.shared_ms)
            said = system.run("device", "list")
            assert "\tyes\tnow\t127.0.0.1\tMQTT 3.1.1 app 1\tno\t" in said.stdout
            assert "alice.phone: two apps take turns with this login" in said.stderr
            assert "login_shared" in (tmp_path / "serve.log").read_text()
            system.stop(serving, signal.SIGKILL)
            until(lambda: listed(system)["online"] is False, what="the broker to be gone")
        assert listed(system)["last_seen"] >= online["last_seen"]

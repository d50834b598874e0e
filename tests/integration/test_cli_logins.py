"""Logins on the command line, where the broker is another one, or the password is the bridge's own."""

from __future__ import annotations

import io
import os
import sys
from functools import partial

import pytest

from bridge.cli import main
from bridge.publish import visit
from tests.support.stored import add_user
from tests.support.system import System
from tests.support.waiting import free_port, until

ELSEWHERE = {"POSTBELL_BROKER__EMBEDDED": "false", "POSTBELL_MQTT__URL": "mqtt://127.0.0.1:1"}
KEPT = {**ELSEWHERE, "POSTBELL_MQTT__LOGINS_FOR": "mosquitto"}


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs a command on a state directory with alice: exit code, standard output, standard error."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("POSTBELL_MQTT__LOGINS_DIR", str(tmp_path / "logins"))
    add_user(tmp_path / "state" / "postbell.db", "alice")

    def run(*words, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["postbell", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        code = main.run()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_where_nobody_keeps_the_logins_the_operator_is_told_what_to_do(command):
    code, _, err = command("device", "add", "alice", "phone", **ELSEWHERE)
    assert code == 0
    assert "let alice.phone in there with this password and the rights in docs/brokers/README.md" in err
    code, out, err = command("device", "revoke", "alice", "phone")
    assert (code, out) == (0, "revoked alice.phone\n")
    assert "still lets alice.phone in: take the login away there" in err
    assert "mqtt.logins_for" in err
    assert "still lets alice with all devices in" in command("user", "remove", "alice")[2]
    code, _, err = command("sender", "add", "printer")
    assert (code, err) == (0, "")
    assert command("sender", "remove", "printer")[2] == ""
    assert "let boss in there" in command("admin", "add", "boss")[2]
    assert "still lets boss in" in command("admin", "remove", "boss")[2]


def test_a_login_that_the_broker_cannot_be_told_of_is_shown_all_the_same(command, tmp_path, monkeypatch):
    monkeypatch.setattr(visit, "PATIENCE_S", 0.1)
    code, out, err = command("device", "add", "alice", "phone", **KEPT)
    assert code == 1
    assert "password" in out
    assert "alice.phone has its password, but mosquitto does not know it yet: mqtt.logins_dir = " in err
    (tmp_path / "logins").mkdir()
    code, _, err = command("device", "password", "alice", "phone", POSTBELL_MQTT__LOGINS_HOOK='["true"]')
    assert code == 1
    assert "alice.phone with the new password: " in err


def test_the_bridge_s_own_password_is_renewed_where_it_can_be(command, tmp_path):
    code, _, err = command("node", "password", "main")
    assert (code, "no bridge runs" in err) == (2, True)
    code, _, err = command("node", "password", "two")
    assert (code, "there is no node 'two'" in err) == (1, True)
    command("node", "add", "two")
    code, out, _ = command("node", "password", "two")
    assert (code, "bridge-two" in out) == (0, True)
    code, _, err = command("node", "password", "main", **ELSEWHERE)
    assert (code, "write it into the file of mqtt.password_file (none)" in err) == (2, True)
    (tmp_path / "logins").mkdir()
    code, out, _ = command("node", "password", "main", POSTBELL_MQTT__LOGINS_HOOK='["true"]', **KEPT)
    assert (code, out) == (0, "bridge has a new password\n")
    assert "bridge:$7$" in (tmp_path / "logins" / "passwords").read_text()


def test_a_recipe_for_a_broker_wants_to_be_configured_first(command, tmp_path):
    code, out, err = command("setup", "mosquitto")
    assert (code, out) == (2, "")
    assert 'logins_for = "mosquitto"' in err
    code, _, err = command("setup", "nats", **KEPT)
    assert (code, 'logins_for = "nats"' in err) == (2, True)
    code, _, err = command("setup", "mosquitto", "--tls-listen", "8883", "--tls-cert", "/c", "--tls-key", "/k")
    assert (code, "--tls-listen 8883: not an address" in err) == (2, True)
    code, _, err = command("setup", "mosquitto", "--tls-cert", "/a b", "--tls-key", "/k")
    assert (code, "--tls-cert = '/a b'" in err) == (2, True)
    code, script, _ = command("setup", "mosquitto", "--directory", "/opt/etc")
    assert code == 0
    assert f"install -d -o root -g mosquitto -m 2750 {tmp_path}/logins" in script or os.geteuid() != 0
    assert "cat > /opt/etc/conf.d/postbell.conf" in script
    code, script, _ = command("setup", "nats", POSTBELL_MQTT__LOGINS_FOR="nats")
    assert (code, "cat > /etc/postbell-nats.conf" in script) == (0, True)


def test_logins_for_the_embedded_broker_are_a_mistake(command):
    code, _, err = command("device", "list", POSTBELL_MQTT__LOGINS_FOR="nats")
    assert code == 2
    assert "the broker that comes with Postbell needs no login files" in err


def test_the_bridge_gets_a_new_password_at_the_embedded_broker_and_loses_nothing(tmp_path):
    with System(tmp_path, POSTBELL_SMTP__LISTEN=f"127.0.0.1:{free_port()}") as system:
        system.add("alice")
        system.serve()
        log = tmp_path / "serve.log"

        def lost_more_than(number):
            return log.read_text().count('"broker_lost"') > number

        for number in range(3):
            assert system.run("node", "password", "main").stdout == "bridge has a new password\n"
            system.send(f"Subject: {number}\n\n.\n".encode(), "alice@example.org")
            until(partial(lost_more_than, number), what="the old connection to end")
            system.wait_connected()
        system.wait_drained()
        assert "password_replaced" in log.read_text()
        assert log.read_text().count('"session_present": true') >= 3, "the requests of devices wait there"

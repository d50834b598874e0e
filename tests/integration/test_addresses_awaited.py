"""What is in the way of a start: what may pass is waited for, and what only a person can mend is told with its line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from tests.support.certificates import self_signed
from tests.support.system import ROOT
from tests.support.waiting import free_port, until

PYTHON = [sys.executable, "-m", "bridge"]


def start(directory, text, *, command="serve", before=()):
    """Postbell with a configuration of this text, its log in a pipe."""
    file = directory / "postbell.toml"
    file.write_text(f"state_dir = {json.dumps(str(directory / 'state'))}\n{text}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTBELL_")}
    return subprocess.Popen(
        [*before, *PYTHON, command, "--config", str(file)],
        cwd=directory,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def facts(directory, process):
    try:
        return json.loads((directory / "state" / "run" / f"{process}.json").read_text())
    except OSError:
        return {"awaited": {}}


def test_ports_that_are_taken_at_the_start_are_waited_for(tmp_path):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    smtp, mqtt, http = (f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
    text = f"[smtp]\nlisten='{smtp}'\n[broker]\nlisten='{mqtt}'\n[http]\nlisten='{http}'\n"
    text += "[lmtp]\nlisten='127.0.0.1:0'\n"
    with start(tmp_path, text) as process:
        until(lambda: facts(tmp_path, "bridge")["awaited"].keys() == {"smtp", "http"}, what="the bridge to wait")
        until(lambda: facts(tmp_path, "broker")["awaited"].keys() == {"mqtt"}, what="the broker to wait")
        assert facts(tmp_path, "bridge")["lmtp"], "the others work"
        status = subprocess.run(
            [*PYTHON, "--config", tmp_path / "postbell.toml", "status"], capture_output=True, text=True, check=False
        )
        assert status.returncode == 1
        assert f"not up; it is to be at {smtp}: another program listens there" in status.stdout
        for server in servers:
            server.close()
        until(lambda: facts(tmp_path, "bridge").get("connected"), what="the bridge to connect")
        until(lambda: not facts(tmp_path, "bridge")["awaited"], what="all to listen")
        assert [facts(tmp_path, "bridge")[name] for name in ("smtp", "http")] == [smtp, http]
        assert facts(tmp_path, "broker")["mqtt"] == mqtt
        process.terminate()
        log = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert process.returncode == 0
    told = [event for event in log if event["event"] == "listener_awaited"]
    assert sorted(event["listener"] for event in told) == ["http", "mqtt", "smtp"], "each once"
    (mqtts,) = [event for event in told if event["listener"] == "mqtt"]
    assert "broker.listen: if that is a broker, as mosquitto, use it: broker.embedded = false" in mqtts["cure"]
    waits = [event for event in log if event["event"] == "broker_awaited"]
    assert any("does not listen yet at" in event["reason"] for event in waits)


def test_an_address_that_comes_later_is_taken(tmp_path):
    """In a network of its own, whose interface gets the address when Postbell runs already."""
    ip, unshare, nsenter = (shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") for program in
                            ("ip", "unshare", "nsenter"))  # fmt: skip
    if not (ip and unshare and nsenter) or os.geteuid():
        pytest.skip("needs ip, unshare, nsenter and root")
    text = "[smtp]\nlisten='192.0.2.1:2525'\n[broker]\nlisten='192.0.2.1:1883'\ninsecure=true\n"
    before = [unshare, "--net", "sh", "-c", f'{ip} link set lo up && exec "$@"', "sh"]
    with start(tmp_path, text, before=before) as process:
        until(lambda: facts(tmp_path, "bridge")["awaited"].keys() == {"smtp"}, what="the bridge to wait")
        until(lambda: facts(tmp_path, "broker")["awaited"].keys() == {"mqtt"}, what="the broker to wait")
        assert facts(tmp_path, "bridge")["awaited"]["smtp"] == "this machine does not have that address now"
        inside = [nsenter, "--net", "--target", str(process.pid), ip]
        subprocess.run([*inside, "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
        until(lambda: facts(tmp_path, "bridge").get("connected"), what="the bridge to connect")
        until(lambda: facts(tmp_path, "bridge").get("smtp"), what="the listener for mail")
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_what_only_a_person_can_mend_ends_it_with_2_and_every_mistake(tmp_path):
    pem, _ = self_signed(tmp_path)
    text = (
        f"[smtp]\nlisten='127.0.0.1:0'\ntls_cert='{pem}'\ntls_key='/absent.key'\n[broker]\nlisten='127.0.0.1:0'\n"
        f"tls_listen='127.0.0.1:{free_port()}'\ntls_cert='/absent.pem'\ntls_key='/absent.key'\n"
        f"[lmtp]\nlisten='unix:{tmp_path}/lmtp'\nsocket_owner=':no-such-group'\n"
    )
    with start(tmp_path, text) as process:
        said = process.stderr.read()
    assert process.returncode == 2
    assert "Traceback" not in said
    file = tmp_path / "postbell.toml"
    for line, key in [(5, "smtp.tls_key"), (9, "broker.tls_cert"), (10, "broker.tls_key"), (13, "lmtp.socket_owner")]:
        assert f"{file}:{line}: {key} = " in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[lmtp]\nlisten='unix:{0}/s'\nsocket_owner=':no-such-group'",
            ":4: lmtp.socket_owner = ':no-such-group': there is no",
        ),
        ("[broker]\nlisten='127.0.0.1:0'\nsession_days=0", ":4: broker.session_days = 0: too small; write more than 0"),
        ("[mqtt]\nca_file='/absent.pem'", ":3: mqtt.ca_file = '/absent.pem': there is no such file; name a PEM file"),
    ],
)
def test_each_of_them_names_file_line_key_value_and_cure(tmp_path, text, told):
    with start(tmp_path, text.format(tmp_path)) as process:
        said = process.stderr.read()
    assert process.returncode == 2
    assert f"{tmp_path}/postbell.toml{told}" in said


def test_the_broker_alone_tells_its_mistakes_with_their_lines(tmp_path):
    with start(tmp_path, "[broker]\nsession_days = 0\n[limits]\nqueue = 0\n", command="broker") as process:
        said = process.stderr.read()
    assert process.returncode == 2
    assert "postbell.toml:3: broker.session_days = 0: too small" in said
    assert "postbell.toml:5: limits.queue = 0: too small" in said


def test_a_wrong_value_of_the_bridge_is_told_with_those_of_the_broker(tmp_path):
    with start(tmp_path, "[smtp]\nlisten = 25\n[broker]\nsession_days = 0\n") as process:
        said = process.stderr.read()
    assert process.returncode == 2
    assert "postbell.toml:3: smtp.listen = 25: not an address" in said
    assert "postbell.toml:5: broker.session_days = 0: too small" in said

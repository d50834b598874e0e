"""The broker as a process: how it starts, says where it is, refuses to start, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.support.mqtt_broker import ROOT, EmbeddedBroker
from tests.support.waiting import until


def run(tmp_path, config, *arguments, environ=None):
    file = tmp_path / "postbell.toml"
    file.write_text(f"state_dir = {json.dumps(str(tmp_path))}\n{config}")
    return subprocess.run(
        [sys.executable, "-m", "broker", "--config", str(file), *arguments],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('[broker]\nlisten = "nowhere"', ["postbell.toml", "broker.listen", "nowhere", "host:port"]),
        ('[broker]\nlisten = "0.0.0.0:0"', ["broker.listen", "0.0.0.0:0", "insecure = true"]),
        ('[broker]\nwebsocket = "[::]:0"', ["broker.websocket", "secure_websocket"]),
        ('[broker]\ntls_listen = "0.0.0.0:0"', ["broker.tls_listen", "tls_cert"]),
        (
            '[broker]\ntls_listen = "0.0.0.0:0"\ntls_cert = "/nonexistent"\ntls_key = "/nonexistent"',
            ["tls_cert", "/nonexistent"],
        ),
        ("[limits]\ninflight = 0", ["limits.inflight", "0", "too small; write 1 or more"]),
        ("[limits\n", ["cannot be read as TOML"]),
    ],
)
def test_a_wrong_configuration_is_explained(tmp_path, config, says):
    ended = run(tmp_path, config)
    assert ended.returncode == 2
    assert all(part in ended.stderr for part in says), ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_file_a_wrong_variable_and_a_wrong_option_are_usage_errors(tmp_path):
    gone = subprocess.run(
        [sys.executable, "-m", "broker", "--config", str(tmp_path / "gone.toml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert gone.returncode == 2
    assert "gone.toml: no such file" in gone.stderr
    wrong = run(tmp_path, "", environ={"POSTBELL_LIMITS__QUEUE": "many"})
    assert wrong.returncode == 2
    assert "POSTBELL_LIMITS__QUEUE: limits.queue = 'many'" in wrong.stderr
    assert run(tmp_path, "", "--nonsense").returncode == 2


def test_the_bridges_keys_are_left_alone(tmp_path):
    config = 'node = "main"\n[smtp]\nlisten = "127.0.0.1:2525"\n[limits]\nrecipients = 3\n[mqtt]\nurl = "mqtt://x"\n'
    with EmbeddedBroker(tmp_path, config=config) as broker:
        assert broker.stop() == 0


def test_it_says_where_it_listens_and_keeps_its_ports(tmp_path):
    with EmbeddedBroker(tmp_path, environ={"POSTBELL_BROKER__WEBSOCKET": "127.0.0.1:0"}) as broker:
        told = dict(broker.told)
        assert told["mqtts"] is None
        assert broker.stop() == 0
        broker.start()
        assert {key: broker.told[key] for key in ("mqtt", "websocket")} == {
            key: told[key] for key in ("mqtt", "websocket")
        }
        assert broker.told["pid"] != told["pid"]


def test_a_taken_port_of_the_last_run_is_given_up(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:
        broker.stop()
        with socket.create_server(broker.address()) as taken:
            broker.start()
            assert broker.address()[1] != taken.getsockname()[1]


def test_a_busy_fixed_port_is_waited_for(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        broker = EmbeddedBroker(tmp_path, environ={"POSTBELL_BROKER__LISTEN": address})
        threading.Timer(1.0, taken.close).start()
        with broker:
            assert broker.told["mqtt"] == address


def waiting(tmp_path, config, **environ):
    """A broker that waits for an address; what its log said of it."""
    (tmp_path / "postbell.toml").write_text(f"state_dir = {json.dumps(str(tmp_path))}\n{config}")
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", "--config", str(tmp_path / "postbell.toml")],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, json.loads(next(line for line in process.stderr if "listener_awaited" in line))


def run_file(tmp_path):
    with contextlib.suppress(FileNotFoundError):
        return json.loads((tmp_path / "run" / "broker.json").read_text())
    return {"mqtt": None, "websocket": None}


def test_a_busy_port_is_told_of_with_its_cure_and_others_listen_meanwhile(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process, told = waiting(tmp_path, "", POSTBELL_BROKER__LISTEN=address, POSTBELL_BROKER__WEBSOCKET="127.0.0.1:0")
        with process:
            assert (told["listener"], told["address"]) == ("mqtt", address)
            assert told["reason"] == "another program listens there"
            assert "mosquitto, use it: broker.embedded = false and mqtt.url" in told["cure"]
            until(lambda: run_file(tmp_path)["websocket"], what="the other listener")
            assert run_file(tmp_path)["awaited"] == {"mqtt": "another program listens there"}
            taken.close()
            until(lambda: run_file(tmp_path)["mqtt"] == address, what="the listener")
            assert run_file(tmp_path)["awaited"] == {}
            process.terminate()
            assert "listener_awaited" not in process.stderr.read(), "it is told once"
        assert process.returncode == 0


def test_an_address_that_is_not_ours_is_waited_for(tmp_path):
    process, told = waiting(tmp_path, '[broker]\nlisten = "192.0.2.1:0"\ninsecure = true')
    with process:
        assert told["reason"] == "this machine does not have that address now"
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told(tmp_path, number):
    with EmbeddedBroker(tmp_path) as broker:
        broker.logins.add("alice.phone")
        assert broker._end(number) == 0
        assert '"stopped"' in broker.logged()


def test_it_ends_with_its_parent(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:
        broker.process.stdin.close()
        assert broker.process.wait(20) == 0


def test_a_second_broker_on_the_same_state_is_refused(tmp_path):
    with EmbeddedBroker(tmp_path, environ={"POSTBELL_BROKER__LISTEN": "127.0.0.1:0"}) as broker:
        told = dict(broker.told)
        second = run(tmp_path, "", environ={"POSTBELL_BROKER__LISTEN": "127.0.0.1:0"})
        assert second.returncode == 1
        assert "another broker is running" in second.stderr
        assert json.loads((tmp_path / "run" / "broker.json").read_text()) == told


def test_a_state_directory_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    ended = run(tmp_path, "", environ={"POSTBELL_STATE_DIR": str(tmp_path / "file")})
    assert ended.returncode == 2
    assert f"state_dir = '{tmp_path / 'file'}': " in ended.stderr
    assert "Traceback" not in ended.stderr

"""Postbell under a service manager that speaks systemd's protocols: what it tells, and sockets that it is handed."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import need
from tests.support.supervisor import Manager, descriptors, handing_over
from tests.support.system import ROOT, System
from tests.support.waiting import free_port, until

MAIL = b"From: Ada <ada@example.org>\r\nSubject: Plan\r\nMessage-ID: <1@example.org>\r\n\r\nAt nine.\r\n"
SERVE = [sys.executable, "-m", "bridge", "serve"]


class Lmtp(smtplib.LMTP):
    """smtplib's client, which waits as long as our other clients."""

    def __init__(self, path):
        super().__init__(str(path))
        self.timeout = 60


@pytest.fixture
def system(tmp_path):
    with System(tmp_path, POSTBELL_LMTP__LISTEN=f"unix:{tmp_path}/lmtp") as made:
        yield made


def start(system, *sockets, command=SERVE, **environment):
    with (system.directory / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            **handing_over(*sockets, command=command),
            cwd=system.directory,
            env=system.environment | {"PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    system.processes.append(process)
    return process


def handed_in(path, message=MAIL):
    with Lmtp(path) as lmtp:
        return lmtp.sendmail("ada@example.org", ["alice@example.org"], message)


def test_a_life_under_a_manager(system, tmp_path):
    system.add("alice")
    with Manager(tmp_path) as manager:
        process = start(system, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="500000")
        manager.wait("READY=1")
        assert any(line.startswith("STATUS=takes mail at smtp 127.0.0.1:") for line in manager.told)
        assert any("connected to the broker" in line for line in manager.told), "others may begin, and it is not all up"
        for _ in range(3):
            manager.wait("WATCHDOG=1")
        broker = system.facts("broker")["pid"]
        told_the_broker = Path(f"/proc/{broker}/environ").read_bytes().split(b"\0")
        assert not [each for each in told_the_broker if each.startswith((b"NOTIFY_", b"WATCHDOG_", b"LISTEN_"))]
        process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert process.wait(30) == 0
        assert "supervisor_not_told" not in (tmp_path / "serve.log").read_text()


def test_what_draws_tracebacks_is_in_no_process_that_stays(system, tmp_path):
    """4 MB of each, which structlog takes along where it is installed."""
    system.add("alice")
    with Manager(tmp_path) as manager:
        process = start(system, NOTIFY_SOCKET=manager.address, PYTHONPROFILEIMPORTTIME="1")
        while not any("connected to the broker" in line for line in manager.next()):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    imported = [line.rpartition("|")[2].strip() for line in (tmp_path / "serve.log").read_text().splitlines()]
    assert imported.count("structlog.dev") == 2, "bridge and broker"
    assert not {"rich.pretty", "rich.console", "pygments"} & set(imported)


def test_a_broker_by_itself_tells_its_manager(system, tmp_path):
    with Manager(tmp_path) as manager:
        command = [sys.executable, "-m", "bridge", "broker"]
        process = start(system, command=command, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="500000")
        manager.wait("READY=1")
        assert system.facts("broker")["mqtt"]
        manager.wait("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert process.wait(30) == 0


def test_mail_comes_in_at_a_socket_that_was_handed_over_and_waits_in_it_between_two_lives(system, tmp_path):
    system.add("alice")
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o640)
        listening.listen()
        of_file = path.stat().st_ino

        first = start(system, listening)
        until(lambda: system.facts("bridge").get("lmtp"), what="the bridge to listen")
        assert handed_in(path) == {}
        system.wait_connected()
        broker = system.facts("broker")["pid"]
        its_own = f"socket:[{os.fstat(listening.fileno()).st_ino}]"
        assert its_own in descriptors(first.pid)
        assert its_own not in descriptors(broker)
        assert system.stop(first) == 0
        assert path.stat().st_ino == of_file

        with socket.socket(socket.AF_UNIX) as early:
            early.settimeout(60)
            early.connect(str(path))  # nobody is there to answer
            second = start(system, listening)
            assert early.recv(3) == b"220"
        assert system.stop(second) == 0
        assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (of_file, 0o640)


def test_a_socket_for_no_listener_is_told(system, tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "elsewhere"))
        listening.listen()
        process = start(system, listening)
        until(lambda: "ingress_listening" in (tmp_path / "serve.log").read_text(), what="the bridge to listen")
        assert system.stop(process) == 0
    [line] = [line for line in (tmp_path / "serve.log").read_text().splitlines() if "handed_socket_unused" in line]
    assert f"unix:{tmp_path}/elsewhere" in line


@pytest.mark.parametrize("over_tcp", [False, True], ids=["unix", "tcp"])
def test_systemds_own_socket_activation(system, tmp_path, over_tcp):
    address = f"127.0.0.1:{free_port()}" if over_tcp else f"unix:{tmp_path}/lmtp"
    program = need("systemd-socket-activate")
    environment = {**system.environment, "PYTHONPATH": str(ROOT), "POSTBELL_LMTP__LISTEN": address}
    passed = [part for name, value in environment.items() for part in ("-E", f"{name}={value}")]
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-l", address.removeprefix("unix:"), *passed, *SERVE], cwd=tmp_path, stdout=log, stderr=log
        )
    system.processes.append(process)
    system.add("alice")
    until(lambda: "Listening on" in (tmp_path / "serve.log").read_text(), what="systemd-socket-activate to listen")
    host, _, port = address.rpartition(":")
    with smtplib.LMTP(host, int(port)) if over_tcp else Lmtp(tmp_path / "lmtp") as lmtp:
        assert lmtp.sendmail("ada@example.org", ["alice@example.org"], MAIL) == {}
    assert system.facts("bridge")["lmtp"] == address
    assert system.stop(process) == 0

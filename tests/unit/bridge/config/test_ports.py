"""Whether addresses can be listened on: each way in which they cannot is caused."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path, PurePath

import pytest

from bridge.config import checking, loading, ports, source, system
from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.config.listening import listeners
from tests.support.configured import configured

OFF = {"smtp": {"listen": ""}, "mqtt": {"url": "mqtt://x"}, "broker": {"embedded": False}}


def faults(settings, **options):
    return [ports.fault(trouble) for trouble in ports.troubles(settings, **options)]


def smtp_at(address):
    return configured(**{**OFF, "smtp": {"listen": str(address)}})


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_what_is_free_has_no_fault():
    assert faults(smtp_at("127.0.0.1:0")) == []
    assert faults(configured(**OFF)) == []


def test_an_address_in_use_is_told_with_who_has_it_unless_that_is_postbell(taken):
    (fault,) = faults(smtp_at(taken))
    me = Path("/proc/self/comm").read_text().strip()
    assert fault.name == "smtp.listen"
    assert fault.problem == f"another program listens there ({me}, process {os.getpid()})"
    assert "Postbell tries on" in fault.cure
    assert fault.may_pass
    assert faults(smtp_at(taken), ours={taken}) == []


def test_what_the_user_has_that_postbell_runs_as_is_no_trouble(taken):
    assert faults(smtp_at(taken), user=os.geteuid()) == []
    assert len(faults(smtp_at(taken), user=os.geteuid() + 1)) == 1
    (fault,) = faults(smtp_at("192.0.2.1:25"), user=os.geteuid())
    assert "does not have that address" in fault.problem


def test_where_mqtt_cannot_listen_another_broker_is_thought_of(taken):
    (fault,) = faults(configured(smtp={"listen": ""}, broker={"listen": taken}))
    assert fault.name == "broker.listen"
    assert "mosquitto, use it: broker.embedded = false and mqtt.url; or choose another port" in fault.cure


def test_who_holds_a_port_may_be_unknown(monkeypatch):
    monkeypatch.setattr(ports, "holder", lambda _: "")
    (fault,) = [ports.fault(ports.Trouble(("smtp", "listen"), TcpAddress("::1", 1), OSError(errno.EADDRINUSE, "")))]
    assert fault.problem == "another program listens there"


def test_nobody_holds_a_port_on_which_nobody_listens():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        assert ports.holder(TcpAddress("127.0.0.1", other.getsockname()[1])) == ""


def test_an_address_of_another_machine_may_be_there_later():
    (fault,) = faults(smtp_at("192.0.2.1:0"))
    assert (fault.problem, fault.may_pass) == ("this machine does not have that address now", True)


def test_a_name_without_an_address_is_told():
    (fault,) = faults(smtp_at("no-such-host.invalid:25"))
    assert (fault.problem, fault.may_pass) == ("no address is known for this name", True)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_port_that_is_not_for_this_user_is_told_with_what_gives_it(code):
    fault = ports.fault(ports.Trouble(("smtp", "listen"), TcpAddress("::", 25), OSError(code, os.strerror(code))))
    assert "may not listen there" in fault.problem
    assert "choose a port from 1024 up, or have systemd open it" in fault.cure
    assert not fault.may_pass


def test_any_other_error_is_told_as_the_system_has_it():
    error = OSError(errno.EAFNOSUPPORT, "a library's words")
    fault = ports.fault(ports.Trouble(("smtp", "listen"), TcpAddress("::", 25), error))
    assert fault.problem == f"it cannot be listened on: {os.strerror(errno.EAFNOSUPPORT)}"
    assert (fault.cure, fault.may_pass) == ("choose another address", False)
    fault = ports.fault(ports.Trouble(("smtp", "listen"), TcpAddress("::", 25), OSError(errno.EMFILE, "")))
    assert (fault.cure, fault.may_pass) == ("make room for it; Postbell tries on", True)


def test_what_the_loop_says_without_a_number_is_an_address_that_is_not_there():
    fault = ports.fault(
        ports.Trouble(("smtp", "listen"), TcpAddress("192.0.2.1", 25), OSError("could not bind on any"))
    )
    assert (fault.problem, fault.may_pass) == ("this machine does not have that address now", True)


@pytest.mark.parametrize(
    ("code", "problem", "may_pass"),
    [
        (errno.EEXIST, "there is a file that is not a socket", False),
        (errno.EACCES, "may not make a file in /run/postbell", False),
        (errno.ENOTDIR, "no socket can be made there: Not a directory", False),
        (errno.ENOSPC, "no socket can be made there: No space left", True),
        (errno.EADDRINUSE, "another program listens there", True),
    ],
)
def test_a_socket_that_cannot_be_made_is_told(code, problem, may_pass):
    address = UnixAddress(PurePath("/run/postbell/lmtp.sock"))
    fault = ports.fault(ports.Trouble(("lmtp", "listen"), address, OSError(code, os.strerror(code))))
    assert problem in fault.problem
    assert fault.may_pass is may_pass


def test_a_socket_that_the_service_manager_holds_ready_is_fine(tmp_path, monkeypatch):
    settings = configured(**OFF, lmtp={"listen": f"unix:{tmp_path}/lmtp", "socket_owner": ":no-such-group"})
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "lmtp"))
        server.listen()
        assert len(faults(settings)) == 1
        monkeypatch.setattr("bridge.config.system.os.geteuid", lambda: 1000)
        monkeypatch.setattr(Path, "stat", lambda _: os.stat_result((stat.S_IFSOCK, 0, 0, 0, 0, 0, 0, 0, 0, 0)))
        assert faults(settings) == []
        assert [fault.name for fault in system.faults(settings) if fault.name.startswith("lmtp")] == []


def test_a_directory_that_is_made_at_each_start_need_not_be_there():
    settings = configured(**OFF, lmtp={"listen": "unix:/run/no-such-directory/lmtp.sock"})
    assert [fault.name for fault in system.faults(settings) if fault.name == "lmtp.listen"] == []


def test_a_socket_on_which_somebody_listens_is_told(tmp_path):
    settings = configured(**OFF, lmtp={"listen": f"unix:{tmp_path}/lmtp"})
    assert faults(settings) == []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "lmtp"))
        assert faults(settings) == [], "left behind"
        server.listen()
        (fault,) = faults(settings)
        assert (fault.name, fault.problem) == ("lmtp.listen", "another program listens there")


def test_every_listener_of_both_programs_is_looked_at(tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text(
        "[smtp]\nlisten='h:1'\ntls_listen='h:2'\ntls_cert='/c'\ntls_key='/k'\n[lmtp]\nlisten='h:3'\n[http]\nlisten='h:4'\n"
        "[broker]\nlisten='h:5'\nwebsocket='h:6'\ntls_listen='h:7'\nsecure_websocket='h:8'\n"
    )
    settings = loading.load(file, environ={})
    assert sorted(str(address) for _, address in listeners(settings)) == [f"h:{port}" for port in range(1, 9)]


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("127.0.0.1:25", "127.0.0.1:25", True),
        ("127.0.0.1:25", "127.0.0.1:26", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("0.0.0.0:25", "127.0.0.1:25", True),
        ("[::]:25", "[::1]:25", True),
        ("[::]:25", "127.0.0.1:25", False),
        ("127.0.0.1:25", "127.0.0.2:25", False),
        ("unix:/run/x", "unix:/run/x", True),
        ("unix:/run/x", "127.0.0.1:25", False),
    ],
)
def test_two_listeners_at_one_address_are_told(one, other, collide, tmp_path):
    file = tmp_path / "postbell.toml"
    file.write_text(f"[smtp]\nlisten = '{one}'\n[lmtp]\nlisten = '{other}'\n")
    checked = checking.check(source.read(file, {}, checking.known()))
    told = f"{file}:4: lmtp.listen = '{other}': smtp.listen has this address already; choose another port"
    assert [str(problem) for problem in checked.problems] == collide * [f'{told}, or write "" for off']

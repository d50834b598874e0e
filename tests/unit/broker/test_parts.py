"""The small pure parts: admission, logins, settings, statistics."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker import loading
from broker.acl import Identity, Role
from broker.address import Address
from broker.admission import Admission
from broker.credentials import LoginTable
from broker.errors import ConfigurationError
from broker.pace import Pace
from broker.statistics import Statistics


def test_connections_are_counted_in_all_and_by_address():
    admission = Admission(clients=3, clients_per_address=2, login_failures=9)
    assert [admission.enter("a"), admission.enter("a"), admission.enter("a")] == [None, None, "too_many_from_address"]
    assert admission.enter("b") == "too_many_clients"
    for address in "aaab":
        admission.leave(address)
    assert len(admission) == 0
    assert admission.enter("a") is None


def test_a_proxy_that_speaks_for_many_counts_in_the_total_alone():
    admission = Admission(clients=3, clients_per_address=1, login_failures=9)
    assert [admission.enter("a", bounded=False) for _ in range(4)] == [None, None, None, "too_many_clients"]


def test_so_many_are_told_that_they_are_too_many():
    by_address = Admission(clients=10**6, clients_per_address=1, login_failures=9)
    in_all = Admission(clients=1, clients_per_address=10**6, login_failures=9)
    for admission in (by_address, in_all):
        assert [admission.enter("a") for _ in range(65)][1:] == [admission.enter("a")] * 64
        assert not admission.may_tell("a")
        admission.leave("a")
        assert admission.may_tell("a")
    assert by_address.may_tell("b")


def test_failed_logins_bar_for_a_minute():
    admission = Admission(clients=1, clients_per_address=1, login_failures=2)
    assert [admission.failed("a", 0), admission.barred("a", 1), admission.failed("a", 1)] == [False, False, True]
    assert admission.barred("a", 59)
    assert not admission.barred("b", 59)
    assert not admission.barred("a", 60)
    assert not admission.failed("a", 60)


def test_the_oldest_of_too_many_addresses_is_forgotten():
    admission = Admission(clients=1, clients_per_address=1, login_failures=1)
    for number in range(10_001):
        admission.failed(str(number), 0)
    assert not admission.barred("0", 0)
    assert admission.barred("1", 0)


def test_an_address_has_its_share_of_lines_in_the_log():
    admission = Admission(clients=1, clients_per_address=1, login_failures=1)
    assert [admission.may_log("a", number) for number in range(12)] == [True] * 10 + [False] * 2
    assert admission.may_log("b", 12)
    assert admission.may_log("a", 60)


def test_whose_strangers_flood_waits_longer_each_time_up_to_two_seconds_for_a_minute():
    admission = Admission(clients=1, clients_per_address=1, login_failures=1)
    pauses = []
    for _ in range(50):
        pauses.append(admission.pause_s("a", 0))
        admission.flooded("a", 0)
    assert pauses[:5] == [0, 0, 0, 0, 0.2]
    assert pauses == sorted(pauses)
    assert admission.pause_s("a", 59) == 2
    assert admission.pause_s("b", 59) == admission.pause_s("a", 60) == 0


def test_a_second_s_worth_may_come_at_once_and_then_so_many_a_second():
    pace = Pace(10)
    assert all(pace.wait_s(100.0) <= 1e-9 for _ in range(10))
    assert pace.wait_s(100.0) == pytest.approx(0.1)
    assert pace.wait_s(100.0) == pytest.approx(0.2)
    assert pace.wait_s(100.2) == pytest.approx(0.1)
    assert pace.wait_s(200.0) < 0


def test_a_login_is_found_by_its_credential():
    table = LoginTable([("a.p", "", "device", b"s", b"h1", b""), ("a.p", "two", "device", b"s", b"h2", b"")])
    first, second = table.credentials("a.p")
    assert first.fingerprint != second.fingerprint
    assert table.find("a.p", second.fingerprint) == Identity("a.p", Role.DEVICE)
    assert table.find("a.q", second.fingerprint) is None
    changed = LoginTable([("a.p", "", "device", b"s", b"h3", b"")], asked=["a.p", "a.q"])
    assert changed.gone == {"a.q"}
    assert changed.find("a.p", first.fingerprint) is None
    assert changed.heir("a.p", first.fingerprint) == first.fingerprint


def test_a_password_that_was_replaced_leaves_its_sessions_to_the_new_one():
    before, later, now = (bytes([n]) * 32 for n in range(3))
    [old] = LoginTable([("a.p", "", "device", b"s", before, b"")]).credentials("a.p")
    table = LoginTable([("a.p", "", "device", b"s", now, before + later), ("b.p", "", "device", b"s", later, b"")])
    [new] = table.credentials("a.p")
    assert table.find("a.p", old.fingerprint) is None, "it opens nothing any more"
    assert table.heir("a.p", old.fingerprint) == new.fingerprint
    assert table.heir("b.p", old.fingerprint) == old.fingerprint, "of its own login alone"


@pytest.mark.parametrize(
    "name", ["+.phone", "#.x", "a/b.phone", "alice", "alice.", ".phone", "Alice.phone", "alice.phone\n"]
)
def test_a_device_with_an_impossible_name_is_nobody(name):
    assert len(LoginTable([(name, "", "device", b"s", b"h", b"")])) == 0


def test_statistics_as_topics():
    statistics = Statistics()
    statistics.drop("queue_full")
    statistics.renewed = 4
    numbers = {"sessions": 3, "subscriptions": 2, "retained": 7, "queued": 5}
    topics = statistics.topics(**numbers, uptime_s=9.9, vitals={"loop/lag": 0.25})
    assert topics["$SYS/broker/subscriptions/renewed"] == "4"
    assert topics["$SYS/broker/loop/lag"] == "0.25"
    assert topics["$SYS/broker/clients/total"] == "3"
    assert topics["$SYS/broker/dropped/queue_full"] == "1"
    assert topics["$SYS/broker/uptime"] == "9"


def load(tmp_path, text, environ=None):
    file = tmp_path / "postbell.toml"
    file.write_text(text)
    return loading.load(file, environ=environ or {})


def test_settings_have_defaults_and_the_file_counts(tmp_path):
    loaded = load(tmp_path, '[limits]\npacket = "1M"\nqueue = 5\n[broker]\nlisten = "[::1]:0"\n[other]\nx = 1\n')
    assert loaded.limits.packet == 2**20
    assert loaded.limits.queue == 5
    assert loaded.limits.inflight == 64
    assert loaded.broker.listen == Address("::1", 0)


def test_the_file_is_found_by_its_variable(tmp_path):
    (tmp_path / "x.toml").write_text("[limits]\nqueue = 6\n")
    assert loading.load(environ={"POSTBELL_CONFIG": str(tmp_path / "x.toml")}).limits.queue == 6


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0", ""])
def test_loopback_needs_no_tls(tmp_path, listen):
    assert str(load(tmp_path, f'[broker]\nlisten = "{listen}"').broker.listen or "") == listen


@pytest.mark.parametrize(
    "text", ['"1883"', '"[::1:0"', '"a b:1"', '"a:65536"', '"http://a:1"', "1883", "[1]", '"::1:0"']
)
def test_an_address_that_is_none_is_refused_with_what_to_write(tmp_path, text):
    with pytest.raises(
        ConfigurationError, match=r"broker\.listen = .*write host:port or \[IPv6\]:port, or \"\" for off"
    ):
        load(tmp_path, f"[broker]\nlisten = {text}")


def test_the_environment_says_an_address_as_the_file_does(tmp_path):
    said = {"POSTBELL_BROKER__LISTEN": "[::1]:5", "POSTBELL_BROKER__WEBSOCKET": "", "POSTBELL_STATE_DIR": "/srv"}
    loaded = load(tmp_path, "[broker]\nwebsocket = '127.0.0.1:1'\n", said)
    assert (loaded.broker.listen, loaded.broker.websocket) == (Address("::1", 5), None)
    assert loaded.state_dir == Path("/srv")


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.org:1"])
def test_elsewhere_does_unless_told(tmp_path, listen):
    with pytest.raises(ConfigurationError, match="insecure"):
        load(tmp_path, f'[broker]\nlisten = "{listen}"')
    assert load(tmp_path, f'[broker]\ninsecure = true\nlisten = "{listen}"').broker.listen == Address.parse(listen)


@pytest.mark.parametrize("text", ["127.0.0.1:1883", "[::1]:0", "example.org:65535"])
def test_an_address_prints_as_it_is_read(text):
    assert str(Address.parse(text)) == text

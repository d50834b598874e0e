"""Every benchmark of the report at its smallest: it works, it counts, and what does not add up gives no figure."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

import pytest

from tests.bench import busy, growth, latency, looking, many_shared_users, many_users, polling, throughput
from tests.bench.dovecot import PASSWORD, dovecot
from tests.bench.looking import Found
from tests.bench.pollers import pop3_poll
from tests.bench.result import MiscountError
from tests.bench.sinks import SINKS
from tests.bench.sizing import letter
from tests.bench.suite import Options
from tests.bench.throughput import ACCEPTED, DEVICE, USUAL, Case
from tests.conftest import need

FEW = replace(USUAL, mails=6, connections=2)


class OneIsLost(Case):
    """Says that it offers one more than it does."""

    def offer(self, address):
        return replace(FEW, mails=self.mails - 1).offer(address)


@pytest.fixture(scope="module")
def server():
    """A Dovecot with two mails for alice that says "Still here" each second."""
    with dovecot(notice_s=1) as running:
        running.deliver("alice", [letter(number, 600) for number in range(2)])
        yield running


@pytest.mark.parametrize("name", ["smtp-sink", "bare aiosmtpd"])
def test_a_sink_is_timed_and_must_have_taken_all(name):
    need("smtp-source")
    outcome = throughput.at_sink(name, FEW)
    assert outcome.took_s > 0
    assert outcome.used_s > 0
    with pytest.raises(MiscountError, match=f"{name}: 6 expected, 5 counted"):
        throughput.at_sink(name, OneIsLost("one is lost", mails=6))


@pytest.mark.parametrize(
    "case",
    [FEW, replace(FEW, users=3), replace(FEW, users=3, recipients=3, many=False)],
    ids=["one", "users", "recipients"],
)
def test_the_whole_way_is_timed(case):
    need("smtp-source")
    found = throughput.at_postbell(case)
    assert found[DEVICE].took_s >= found[ACCEPTED].took_s > 0
    assert found[DEVICE].used_s > found[ACCEPTED].used_s > 0


def test_a_mail_that_does_not_go_the_whole_way_gives_no_figure(monkeypatch):
    need("smtp-source")
    monkeypatch.setattr("tests.bench.onlooker.QUIET_S", 0.5)
    with pytest.raises(MiscountError, match="Postbell: 6 expected, 5 kept, 5 acknowledged, 5 received, 5 different"):
        throughput.at_postbell(OneIsLost("one is lost", mails=6))


@pytest.mark.parametrize("name", latency.PLACES)
def test_latency_is_that_of_mails_that_came_once(name):
    need("mosquitto_sub")
    amount = latency.Amount(4, 2, 4)
    with latency.PLACES[name](amount.all) as place:
        idle, half = asyncio.run(latency.once(name, place, amount))
    assert (idle.mails, half.mails) == (2, 4)
    assert 0 < idle.whole.p50_ms <= idle.whole.p99_ms
    assert half.mails_a_second > 0


def test_push_and_polling_are_counted_for_the_same_mail(server):
    found = Found({}, {}, {})
    looking.at_dovecot(server, "alice", 2, found, times=1)
    looking.at_postbell(found, there=2, times=1)
    assert found.idle.keys() == {"POP3", "IMAP", "IDLE", "notice", "Postbell"}
    short = {who + looking.SHORT for who in ("IDLE", "Postbell", "Postbell, headers alone")}
    assert found.mail.keys() == {"POP3", "IMAP", "IDLE", "Postbell"} | short
    assert all(found.mail[who].down < found.mail[who.partition(",")[0]].down for who in short)
    assert found.idle["Postbell"][:2] == (24, 24)
    assert found.idle["Postbell"].trips == 1
    assert found.idle["IMAP"].trips > found.idle["IDLE"].trips == 2
    assert found.idle["IMAP"].connections == found.idle["POP3"].connections == 1
    assert found.mail["IDLE"].connections == found.mail["Postbell"].connections == 0
    assert all(count.packets >= 2 for count in (*found.idle.values(), *found.mail.values()))
    for protocol in ("POP3", "IMAP"):
        assert found.mail[protocol].down > found.idle[protocol].down > found.idle["IDLE"].down > 24
    octets = {row[0]: row[1] for row in polling.hours(found)}
    assert octets["Postbell, keepalive 30 min"] == 96
    assert octets["POP3, polled each 1 min"] == 60 * (found.idle["POP3"].up + found.idle["POP3"].down)


def test_a_poll_that_finds_something_else_gives_no_figure(server):
    server.deliver("bob", [letter(1, 600)])
    assert pop3_poll(server.pop3s, server.authority, "bob", 1) == 1
    with pytest.raises(MiscountError, match="a poll over POP3: 2 expected, 1 mails"):
        looking.at_dovecot(server, "bob", 2, Found({}, {}, {}), times=1)


def test_a_busy_server_is_polled_in_time_or_given_up(server, monkeypatch):
    users = ["carol", "dave"]
    for user in users:
        server.deliver(user, (letter(number, 600) for number in range(busy.MAILS)))
    rate, cost_ms = asyncio.run(busy.capacity(server, users, 6))
    assert rate > 0
    assert cost_ms > busy.ping_ms(20) > 0
    assert asyncio.run(busy.offered(server, users, polls=3, a_second=10)) == (3, 0)
    monkeypatch.setattr(busy, "PATIENCE_S", 0.0)
    assert asyncio.run(busy.offered(server, users, polls=3, a_second=10)) == (0, 3)
    server.deliver("carol", [letter(99, 600)])
    with pytest.raises(MiscountError):
        asyncio.run(busy.capacity(server, users, 2))


def test_growth_is_measured_behind_mails_of_others_and_among_devices():
    need("smtp-source")
    found = growth.stored(100, 5)
    assert set(found) == {"accepted a second", "bridge, ms a mail", "broker, ms a mail", "bridge, MB", "broker, MB"}
    assert all(figure > 0 for figure in found.values())
    few, more = asyncio.run(growth.devices([2, 4], 1))
    assert few.keys() == more.keys() == {"publishes a second", "µs a publish", "kB a device"}


def test_what_is_compared_is_all_there():
    assert set(SINKS) == {"smtp-sink", "bare aiosmtpd", "Mailrise"}
    assert list(Options().steps("nothing", range(3))) == [0, 1, 2]
    assert PASSWORD
    assert ssl.HAS_TLSv1_3


def test_many_users_are_let_in_and_get_their_mail(capsys, monkeypatch):
    assert many_users.main(["--small", "--no-rest"]) == 0
    said = capsys.readouterr().out
    assert "next start, until a device is let in" in said
    assert "device add, from its end until it is let in" in said
    monkeypatch.setattr(many_users, "accepted", lambda _system, _address: False)
    assert many_users.main(["--small", "--no-rest"]) == 1
    assert "mail is refused" in capsys.readouterr().err


def test_many_users_of_one_postgresql_are_taken_mail_for_by_two_bridges(capsys, monkeypatch):
    small = ["--store", "postgresql", "--small", "--watch", "1"]
    assert many_users.main(small) == 0
    said = capsys.readouterr().out
    assert "second bridge, until it is connected" in said
    assert "user add, until b takes their mail" in said
    assert "over 50 ms" not in said
    monkeypatch.setattr(many_shared_users, "accepted", lambda _system, _address: False)
    assert many_users.main(small) == 1
    assert "mail is refused" in capsys.readouterr().err

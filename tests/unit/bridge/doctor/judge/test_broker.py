"""What was seen of a broker, judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.broker import Backlog, BrokerSeen, SessionsSeen, judge
from bridge.reconcile import Repair
from tests.support.findings import answer, broken, found

CONF = {
    "allow_anonymous": "false",
    "password_file": "/p",
    "acl_file": "/a",
    "use_username_as_clientid": "true",
    "persistence": "true",
    "autosave_interval": "1",
    "max_queued_messages": "10000",
}
GOOD = BrokerSeen(
    "mqtt://127.0.0.1:1883",
    "3.1.1",
    embedded=False,
    spoken=("3.1.1", "5"),
    connected=True,
    mosquitto=CONF,
    repair=Repair(0, 0, 0, 12),
    backlog=Backlog(0, moved=False),
)


def changed(**changes):
    return judge(replace(GOOD, **changes))


def configured(**settings):
    """As mosquitto.conf has it then; None leaves a setting out."""
    return changed(mosquitto={key: value for key, value in (CONF | settings).items() if value is not None})


def test_what_is_right_is_fine():
    assert {finding.ok for finding in judge(GOOD)} == {True}


def test_what_was_not_seen_is_not_judged():
    nothing = BrokerSeen("", "3.1.1", embedded=True, unlooked="no bridge is connected")
    assert {finding.ok for finding in judge(nothing)} == {None}
    assert all(finding.problem for finding in judge(nothing))


def test_a_broker_that_is_not_there():
    assert "Connection refused" in found(changed(error="Connection refused"), "broker.reached").problem
    assert "restart" in found(changed(error="Connection refused", embedded=True), "broker.reached").cure


def test_a_version_that_it_does_not_speak():
    finding = found(changed(version="5", spoken=("3.1.1",)), "broker.version")
    assert (finding.ok, finding.cure) == (False, 'mqtt.version = "auto"')


@pytest.mark.parametrize(("version", "spoken"), [("auto", ("3.1.1",)), ("3.1.1", ("3.1.1",))])
def test_a_broker_without_mqtt_5_works_and_is_warned_of(version, spoken):
    [finding] = [each for each in changed(version=version, spoken=spoken) if each.check == "broker.version"]
    assert finding.ok
    assert "speaks MQTT 3.1.1 alone: Home Assistant from 2027.1" in finding.problem
    assert finding.cure


@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
def test_the_versions_that_it_speaks_are_told(version):
    [finding] = [each for each in changed(version=version) if each.check == "broker.version"]
    assert (finding.ok, finding.problem, finding.cure) == (True, "it speaks MQTT 3.1.1 and 5", "")


def test_a_bridge_that_is_not_connected():
    assert "Not authorized" in found(changed(connected=False, refusal="Not authorized"), "broker.login").problem
    assert "not connected" in found(changed(connected=False), "broker.login").problem


@pytest.mark.parametrize("settings", [{"persistence": "false"}, {"persistence": None}])
def test_a_mosquitto_that_forgets(settings):
    findings = configured(**settings)
    assert "forgets all sessions" in found(findings, "broker.keeps").problem
    assert answer(findings, "broker.saves") is None


def test_a_mosquitto_that_keeps_nothing_for_later():
    assert "retain_available false" in found(configured(retain_available="false"), "broker.keeps").problem


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"autosave_interval": None}, "autosave_interval 1800"),
        ({"autosave_interval": "0"}, "only when it ends in peace"),
        ({"autosave_on_changes": "true", "autosave_interval": "50"}, "every 50 changes"),
    ],
)
def test_a_mosquitto_that_saves_late(settings, told):
    assert told in found(configured(**settings), "broker.saves").problem
    assert answer(configured(autosave_on_changes="true"), "broker.saves") is True


def test_a_queue_shorter_than_what_is_live():
    finding = found(changed(mosquitto=CONF | {"max_queued_messages": "100"}, retain_count=100), "broker.queue")
    assert "max_queued_messages 100: of 104 topics" in finding.problem
    assert "retain.count = 96" in finding.cure
    default = {key: value for key, value in CONF.items() if key != "max_queued_messages"}
    found(changed(mosquitto=default, retain_count=1000), "broker.queue")
    assert answer(configured(max_queued_messages="0"), "broker.queue") is True


@pytest.mark.parametrize("name", ["message_size_limit", "max_packet_size"])
def test_a_limit_below_what_is_sent(name):
    assert f"{name} 4096" in found(configured(**{name: "4096"}), "broker.size").problem
    assert answer(configured(**{name: "65536"}), "broker.size") is True


def test_rules_that_lack_something():
    for name, value in {
        "allow_anonymous": "true",
        "password_file": None,
        "acl_file": None,
        "use_username_as_clientid": None,
    }.items():
        assert name in found(configured(**{name: value}), "broker.rules").problem
    plugged = configured(password_file=None, acl_file=None, plugin="/usr/lib/mosquitto_dynamic_security.so")
    assert broken(plugged) == set()


def test_a_broker_that_holds_something_else():
    finding = found(changed(repair=Repair(missing=3, different=0, stale=1, held=9)), "broker.retained")
    assert "3 topics are missing and 0 are different; 1 should not be there" in finding.problem


def test_what_waits_and_does_not_move():
    found(changed(backlog=Backlog(7, moved=False)), "broker.moves")
    assert answer(changed(backlog=Backlog(7, moved=True)), "broker.moves") is True


EMBEDDED = BrokerSeen("", "3.1.1", embedded=True, unlooked="no bridge is connected")


@pytest.mark.parametrize(
    ("sessions", "told"),
    [
        (SessionsSeen("/s/sessions.db", damage="page 3"), "/s/sessions.db is damaged (page 3)"),
        (SessionsSeen("/s/sessions.db", refusal="readonly database"), "cannot be written (readonly database)"),
    ],
)
def test_the_embedded_brokers_sessions_that_are_not_kept(sessions, told):
    assert told in found(judge(replace(EMBEDDED, sessions=sessions)), "broker.keeps").problem


def test_the_embedded_brokers_sessions_that_are_kept_or_cannot_be_looked_at():
    assert answer(judge(replace(EMBEDDED, sessions=SessionsSeen("/s/sessions.db"))), "broker.keeps") is True
    unread = SessionsSeen("/s/sessions.db", unread="unable to open")
    assert answer(judge(replace(EMBEDDED, sessions=unread)), "broker.keeps") is None
    assert answer(judge(EMBEDDED), "broker.keeps") is None

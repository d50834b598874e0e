"""The metrics of a running system: what happened stands in them, and a broker that is not ours tells what it has."""

from __future__ import annotations

import smtplib

from prometheus_client.parser import text_string_to_metric_families

from bridge.contract.packing import pack
from tests.integration.test_seeing import HTTP, get
from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import mosquitto
from tests.support.nats import nats
from tests.support.system import System
from tests.support.waiting import until

MAIL = b"From: a@example.net\r\nSubject: %s\r\nMessage-ID: <%s@example.net>\r\n\r\nhello\r\n"


class Metrics:
    """One scrape: values by name and labels."""

    def __init__(self, system):
        status, text = get(system, "/metrics")
        assert status == 200
        self.found = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name, **labels):
        return self.found.get((f"postbell_{name}", frozenset(labels.items())))


def awaited(system, name, value, **labels):
    """The metrics once one of them has this value."""

    def look():
        found = Metrics(system)
        return found if found(name, **labels) == value else None

    return until(look, what=f"{name} {labels} to be {value}")


def test_what_happens_stands_in_the_metrics(tmp_path):
    with System(tmp_path, **HTTP) as system:
        system.serve()
        login = system.add("alice")
        with mqtt.Raw(("127.0.0.1", system.mqtt_port())) as phone:
            phone.send(mqtt.connect(client_id="phone", username=login["username"], password=login["password"]))
            phone.expect(mqtt.CONNACK)
            phone.subscribe("mail/alice/+", "mail/alice/msg/+")
            phone.subscribe("mail/alice/msg/+")
            ids = [
                system.send(MAIL % (b"one", b"1"), "alice@example.org"),
                system.send(MAIL % (b"2", b"2"), "alice@example.org"),
            ]
            assert system.send(MAIL % (b"one", b"1"), "alice@example.org") == ids[0]
            with system.smtp() as smtp:
                smtp.ehlo("test.example")
                smtp.mail("sender@example.net")
                assert smtp.rcpt("nobody@example.org")[0] == 550
                found = awaited(system, "smtp_refusals_total", 1, code="550", status="5.1.1")
                assert found("smtp_connections_open", listener="smtp") == 1
            phone.send(mqtt.publish("mail/alice/do/phone", pack([1, 1, "seen", ids[0]]), qos=1))
            phone.send(mqtt.publish("mail/alice/do/phone", b"\xc1", qos=1))
            phone.send(mqtt.publish("mail/bob/do/phone", b"x", qos=1))
            found = awaited(system, "published_total", 1, kind="tombstone")
            found = awaited(system, "requests_total", 1, operation="other", result="bad_request")
            assert found("requests_total", operation="seen", result="success") == 1
            assert found("messages_accepted_total", protocol="smtp") == 3
            assert found("messages_kept_total", alert="ring") == 2
            assert found("messages_copies_total") == 1
            assert found("smtp_connections_total", listener="smtp") == 4
            assert (found("users"), found("devices"), found("live_messages")) == (1, 1, 1)
            assert found("published_total", kind="msg") == found("publish_latency_seconds_count") == 2
            assert 0 < found("publish_latency_seconds_sum") < 60
            assert found("reconcile_looks_total", result="done") >= 1
            assert found("broker_connected") == found("ready", part="broker") == 1
            assert found("database_bytes") > 100_000
            # the broker tells every ten seconds
            found = awaited(system, "broker_devices_online", 1)
            assert found("broker_resubscriptions_total") == 1
            assert found("broker_dropped_total", reason="not_allowed") == 1
            assert found("broker_resident_memory_bytes") > 1e6
        awaited(system, "smtp_connections_open", 0, listener="smtp")
        system.wait_drained()
        found = awaited(system, "outbox_rows", 0, kind="view")
        assert (found("outbox_rows", kind="message"), found("outbox_oldest_seconds")) == (0, 0)
        assert found("http_requests_total", status="200") > 1


def test_mail_that_waits_for_a_broker_shows_and_the_lost_brokers_figures_go(tmp_path):
    with System(tmp_path, **HTTP) as system:
        broker = system.start(module="broker", log="broker")
        system.start("bridge")
        system.wait_connected()
        system.add("alice")
        assert Metrics(system)("broker_uptime_seconds") is not None
        system.stop(broker)
        found = awaited(system, "broker_connected", 0)
        assert found("broker_uptime_seconds") is None
        assert found("broker_links_total", result="lost") == 1
        with smtplib.SMTP(*system.facts("bridge")["smtp"].split(":")) as smtp:
            smtp.sendmail("a@example.net", ["alice@example.org"], MAIL % (b"x", b"3"))
        found = awaited(system, "outbox_rows", 2, kind="message")
        until(lambda: Metrics(system)("outbox_oldest_seconds") > 0, what="the age of the oldest mail to grow")
        system.start(module="broker", log="broker")
        awaited(system, "outbox_rows", 0, kind="message")
        assert Metrics(system)("outbox_oldest_seconds") == 0
        assert Metrics(system)("publish_latency_seconds_count") == 1


def test_mosquitto_tells_what_it_has(tmp_path):
    with mosquitto(tmp_path, settings="sys_interval 1\n") as port:
        external = {"POSTBELL_BROKER__EMBEDDED": "false", "POSTBELL_MQTT__URL": f"mqtt://127.0.0.1:{port}"}
        with System(tmp_path, **HTTP, **external) as system:
            system.serve()
            awaited(system, "broker_clients", 1)
            until(lambda: Metrics(system)("broker_messages_received_total"), what="mosquitto to count again")
            found = Metrics(system)
            assert found("broker_uptime_seconds") is not None
            assert found("broker_dropped_total", reason="unsent") == 0
            assert found("broker_devices_online") is None


def test_nats_which_tells_nothing_is_not_asked_twice_and_serves_on(tmp_path):
    with nats(tmp_path) as port:
        external = {"POSTBELL_BROKER__EMBEDDED": "false", "POSTBELL_MQTT__URL": f"mqtt://127.0.0.1:{port}"}
        with System(tmp_path, **HTTP, **external) as system:
            system.serve()
            system.add("alice")
            system.send(MAIL % (b"x", b"4"), "alice@example.org")
            found = awaited(system, "published_total", 1, kind="msg")
            assert found("broker_clients") is None
            assert found("broker_links_total", result="lost") <= 1

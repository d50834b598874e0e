"""The configuration is read again while all runs: what changes at once, what waits, and what a mistake changes."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import smtplib
import ssl

import pytest

from bridge.daemon import control
from bridge.store import amounts, offline
from tests.support.certificates import self_signed
from tests.support.supervisor import Manager
from tests.support.system import System
from tests.support.waiting import until

MAIL = b"From: Bob <bob@example.net>\r\nSubject: %s\r\n\r\nhello\r\n"


class Reloading(System):
    """A system with a configuration file, and what it says about reloads."""

    def __init__(self, directory, **overrides):
        super().__init__(directory, **overrides)
        self.file = directory / "postbell.toml"
        self.environment["POSTBELL_CONFIG"] = str(self.file)
        self.environment.pop("POSTBELL_RETAIN__COUNT")
        self.write("")

    def write(self, text):
        self.file.write_text(text)

    def reload(self):
        """What `postbell reload --json` prints, without a process of its own for it."""
        return control.ask(self.state_dir / "run", {"do": "reload"})

    def events(self, name, process="bridge"):
        """The events of a name that one of the processes has logged."""
        lines = (self.directory / "serve.log").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each["event"] == name and each["process"] == process]

    def live(self):
        with offline.reading(self.state_dir / "postbell.db") as connection:
            return amounts.live_messages(connection)


@pytest.fixture(scope="module", params=["0", "2"])
def running(tmp_path_factory, request):
    """A running system that alice uses, without workers and with."""
    with Reloading(tmp_path_factory.mktemp("reload"), POSTBELL_BRIDGE__WORKERS=request.param) as system:
        system.add("alice")
        system.serve()
        until(lambda: len(system.events("worker_ready")) == int(request.param), what="the workers to be ready")
        yield system


def test_nothing_has_changed(running):
    said = running.reload()
    assert said == {
        "changed": [],
        "needs_restart": [],
        "problems": [],
        "broker": {"changed": [], "needs_restart": [], "problems": []},
    }
    assert json.loads(running.run("reload", "--json").stdout) == said
    assert "bridge: nothing that concerns it has changed" in running.run("reload").stdout


def test_limits_of_both_halves_hold_at_once(running):
    before = running.smtp()
    running.write('[smtp]\nmax_size = "1 KiB"\n[retain]\ncount = 2\n[limits]\nclients = 9\nlogin_failures = 5\n')
    said = running.reload()
    assert said["changed"] == ["smtp.max_size", "retain.count"]
    assert said["broker"]["changed"] == ["limits.clients", "limits.login_failures"]
    with running.smtp() as smtp:
        smtp.ehlo("test.example")
        assert smtp.esmtp_features["size"] == "1024"
    with before:
        before.ehlo("test.example")
        assert before.esmtp_features["size"] == str(50 * 2**20), "a session goes on as it began"
    for number in range(3):
        running.send(MAIL % str(number).encode(), "alice@example.org")
    assert running.live() == 2
    running.write("")
    assert set(running.reload()["changed"]) == {"smtp.max_size", "retain.count"}
    until(lambda: running.live() == 3, what="the live set to be worked out anew")


def test_what_needs_a_restart_is_named_and_stays(running):
    address = running.facts("bridge")["smtp"]
    running.write('node = "other"\n[lmtp]\nlisten = "127.0.0.1:0"\n[broker]\nwebsocket = "127.0.0.1:0"\n')
    said = running.reload()
    assert (said["changed"], said["needs_restart"]) == ([], ["node", "lmtp.listen", "broker.websocket"])
    assert said["broker"]["needs_restart"] == ["broker.websocket"]
    assert running.events("reload_needs_restart")[-1]["keys"] == said["needs_restart"]
    assert running.events("reload_needs_restart", "broker")[-1]["keys"] == ["broker.websocket"]
    assert running.facts("bridge")["smtp"] == address
    assert "broker: needs a restart for broker.websocket" in running.run("reload").stdout
    running.write("")
    assert running.reload()["needs_restart"] == []


def test_a_mistake_changes_nothing_and_all_of_them_are_told(running):
    running.write('[smtp]\nmax_size = "1 KiB"\n[retain]\ncount = -1\n[limits]\nqueue = 0\n')
    bridge = running.processes[0]
    bridge.send_signal(signal.SIGHUP)
    until(lambda: running.events("reload_failed"), what="the reload to fail")
    [first, second] = running.events("reload_failed")[-1]["problems"]
    assert "postbell.toml:4: retain.count = -1" in first
    assert "postbell.toml:6: limits.queue = 0" in second
    assert running.events("reload_failed", "broker") == [], "it was not even asked"
    with running.smtp() as smtp:
        smtp.ehlo("test.example")
        assert smtp.esmtp_features["size"] == str(50 * 2**20)
    assert running.run("reload", check=False).returncode == 2
    running.write("")


def test_a_certificate_is_named_renewed_and_taken_away(running, tmp_path):
    chain, key = self_signed(tmp_path, "first")

    def offered():
        with running.smtp() as smtp:
            smtp.ehlo("test.example")
            return smtp.has_extn("starttls")

    def served():
        with running.smtp() as smtp:
            smtp._host = "localhost"
            smtp.starttls(context=ssl.create_default_context(cafile=str(newest)))
            return True

    assert not offered()
    newest = chain
    running.write(f'[smtp]\ntls_cert = "{chain}"\ntls_key = "{key}"\n')
    assert running.reload()["changed"] == ["smtp.tls_cert", "smtp.tls_key"]
    assert served()
    newest, other = self_signed(tmp_path, "second")
    running.write(f'[smtp]\ntls_cert = "{newest}"\ntls_key = "{key}"\n')
    said = running.reload()
    assert said["changed"] == []
    assert "smtp.tls_key" in said["problems"][0]
    with pytest.raises(ssl.SSLCertVerificationError):
        served()
    running.write(f'[smtp]\ntls_cert = "{newest}"\ntls_key = "{other}"\n')
    running.reload()
    assert served()
    running.write("")
    running.reload()
    assert not offered()


def test_networks_count_for_who_comes_next(running):
    running.write('[smtp]\nnetworks = "10.0.0.0/8"\n')
    running.reload()
    with pytest.raises(smtplib.SMTPConnectError):
        running.smtp()
    running.write("")
    running.reload()
    assert running.send(MAIL % b"again", "alice@example.org")


def test_http_shows_itself_to_other_networks_and_with_another_certificate(tmp_path):
    chain, key = self_signed(tmp_path, "http")
    with Reloading(tmp_path, POSTBELL_HTTP__LISTEN="127.0.0.1:0") as system:
        system.add("alice")
        system.serve()
        address = until(lambda: system.facts("bridge").get("http"), what="HTTP")

        def asked(**options):
            port = int(address.rpartition(":")[2])
            client = http.client.HTTPSConnection if options else http.client.HTTPConnection
            connection = client("localhost", port, timeout=20, **options)
            with contextlib.closing(connection):
                connection.request("GET", "/healthz")
                return connection.getresponse().status

        assert asked() == 200
        system.write('[http]\nnetworks = "10.0.0.0/8"\n')
        assert system.reload()["changed"] == ["http.networks"]
        assert asked() in {403, 404}
        system.write(f'[http]\ntls_cert = "{chain}"\ntls_key = "{key}"\n')
        assert set(system.reload()["changed"]) == {"http.networks", "http.tls_cert", "http.tls_key"}
        assert asked(context=ssl.create_default_context(cafile=str(chain))) == 200
        system.write(f'[http]\ntls_cert = "{chain}"\n')
        assert system.reload()["problems"]
        assert asked(context=ssl.create_default_context(cafile=str(chain))) == 200


def test_the_log_says_as_much_as_is_asked_for(running):
    running.write('[log]\nlevel = "error"\n')
    said = running.reload()
    assert (said["changed"], said["broker"]["changed"]) == (["log.level"], ["log.level"])
    quiet = (len(running.events("message_kept")), len(running.events("client_connected", "broker")))
    running.send(MAIL % b"untold", "alice@example.org")
    assert (len(running.events("message_kept")), len(running.events("client_connected", "broker"))) == quiet
    running.write("")
    running.reload()
    running.send(MAIL % b"told", "alice@example.org")
    until(lambda: len(running.events("message_kept")) > quiet[0], what="the next mail to be told")
    assert running.events("reloaded")


def test_the_service_manager_is_told_of_it(tmp_path):
    with Manager(tmp_path) as manager, Reloading(tmp_path, NOTIFY_SOCKET=manager.address) as system:
        bridge = system.serve()
        manager.wait("READY=1")
        bridge.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        assert manager.told[-1].startswith("MONOTONIC_USEC=")
        manager.wait("READY=1")
        until(lambda: system.events("reloaded"), what="the reload to be told")


def test_nothing_runs_that_could_reload(tmp_path):
    system = Reloading(tmp_path)
    system.add("alice")
    done = system.run("reload", check=False)
    assert done.returncode == 1
    assert "neither a bridge nor a broker runs with the state directory" in done.stderr


def test_a_broker_that_runs_alone_reloads(tmp_path):
    with Reloading(tmp_path) as system:
        system.add("alice")
        system.start("broker")
        until(lambda: system.facts("broker").get("mqtt"), what="the broker")
        system.write("[limits]\nclients = 9\n")
        said = json.loads(system.run("reload", "--json").stdout)
        assert (said["changed"], said["broker"]["changed"]) == ([], ["limits.clients"])

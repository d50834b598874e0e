"""Every command as a process: its JSON, its exit code, and what it says when something is wrong."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import typer
from paho.mqtt.enums import CallbackAPIVersion

from bridge.cli import main
from bridge.daemon import runfile
from bridge.store import copies, database
from tests.support.system import System
from tests.support.waiting import until


def _commands(command, words=()):
    """A command and those below it, each as the words that call it."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*words, name))


COMMANDS = [
    words for words in _commands(typer.main.get_command(main.app)) if words not in {("watch",), ("inbox",), ("read",)}
]
"""Those of the bridge; `watch` and `read` are the client's."""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A running system with alice and her phone."""
    with System(tmp_path_factory.mktemp("running")) as system:
        system.add("alice")
        system.serve()
        yield system


def said(done):
    """What was said for people, on one line and without frames."""
    return re.sub(r"[\s│]+", " ", done.stdout + done.stderr)


def asked(system, *arguments, code=0):
    """The JSON that a command prints."""
    done = system.run(*arguments, "--json", check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_switch_has_an_opposite_only_where_neither_is_a_third_choice(words):
    command: Any = typer.main.get_command(main.app)
    for word in words:
        command = command.commands[word]
    for option in command.params:
        assert not (option.secondary_opts and option.default is not None), f"{option.secondary_opts} means nothing"


class Within:
    """Runs commands in this process, which is quicker than in one of its own each time."""

    def __init__(self, directory, monkeypatch, capsys):
        self.directory, self.monkeypatch, self.capsys = directory, monkeypatch, capsys

    def run(self, *arguments, stdin=b"Subject: x\r\n\r\nhello\r\n"):
        """Exit code, standard output and standard error."""
        self.monkeypatch.setattr(sys, "argv", ["postbell", *arguments])
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main.run()
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    def words(self, *arguments):
        """Exit code, and what was said on one line without frames."""
        code, out, err = self.run(*arguments)
        return code, re.sub(r"[\s│]+", " ", out + err)

    def json(self, *arguments):
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def within(tmp_path, monkeypatch, capsys):
    """Commands on a state directory of their own."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("POSTBELL_BROKER__LISTEN", "127.0.0.1:0")
    monkeypatch.chdir(tmp_path)
    return Within(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_says_what_each_command_does(within, command):
    code, text = within.words(*command, "--help")
    assert code == 0
    assert "Usage: " in text
    assert not re.search(r"<[a-z]+", text), "no types of Python's"
    assert "-h, --help" in text
    assert len(text) > 150
    assert within.words(*command, "-h") == (0, text)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_says_what_each_parameter_is(command):
    group: Any = typer.main.get_command(main.app)
    for word in command:
        group = group.commands[word]
    for parameter in group.params:
        assert parameter.help, parameter.name
        takes_none = getattr(parameter, "is_flag", False) or getattr(parameter, "count", False)
        assert takes_none or parameter.metavar or parameter.type_descriptor.choices, f"{parameter.name} needs a metavar"


@pytest.mark.parametrize("command", ["watch", "inbox", "read"])
def test_the_clients_commands_have_their_own_help(running, command):
    text = running.run(command, "--help").stdout
    assert f"Usage: postbell {command} " in text
    assert not re.search(r"<[a-z]+", text)
    assert "--config FILE" in text


def test_the_overview_names_every_command(within):
    _, text = within.words("--help")
    for command in {words[0] for words in COMMANDS if words} | {"watch", "inbox", "read"}:
        assert f" {command} " in text


def test_the_version_is_a_number(within):
    code, out, _ = within.run("--version")
    assert code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?\n", out)


# --- people, devices, logins ----------------------------------------------------------------------


def test_people_and_devices_from_first_to_last(within):
    added = within.json("user", "add", "bob", "--address", "Bob@Example.org", "--address", "@example.com")
    assert added == {"user": "bob", "addresses": ["Bob@Example.org", "@example.com"]}
    login = within.json("device", "add", "bob", "phone")
    assert login.keys() == {"user", "device", "username", "password", "mqtt_url"}
    assert (login["user"], login["device"], login["username"]) == ("bob", "phone", "bob.phone")
    assert len(login["password"]) >= 22, "128 bits or more"
    assert login["mqtt_url"] == "mqtt://127.0.0.1:0"
    [listed] = within.json("user", "list")
    assert listed == {
        "user": "bob",
        "addresses": ["@example.com", "Bob@example.org"],
        "devices": ["phone"],
        "views": ["last", "text", "unread", "event"],
        "live": 0,
        "unseen": 0,
    }
    [device] = within.json("device", "list", "bob")
    assert (device["user"], device["device"], device["username"]) == ("bob", "phone", "bob.phone")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", device["created"])
    within.run("user", "change", "bob", "--address", "b@example.org", "--remove-address", "bob@example.org")
    within.run("user", "change", "bob", "--view-off", "text")
    [listed] = within.json("user", "list")
    assert (listed["addresses"], listed["views"]) == (["@example.com", "b@example.org"], ["last", "unread", "event"])
    assert within.words("device", "revoke", "bob", "phone") == (0, "revoked bob.phone ")
    assert within.json("device", "list") == []
    code, text = within.words("user", "remove", "bob")
    assert (code, text.startswith("removed bob: 2 addresses, 0 devices")) == (0, True)
    assert within.json("user", "list") == []
    assert within.words("user", "list")[1] == "no users yet; add one with: postbell user add NAME --address ADDR "


def test_a_password_is_shown_once_and_never_again(within):
    within.run("user", "add", "carol", "--address", "carol@example.org")
    _, shown, _ = within.run("device", "add", "carol", "phone", "--qr")
    password = re.search(r"password +(\S+)", shown).group(1)
    assert "█" in shown or "▀" in shown, "a QR code"
    assert "The password is shown only now." in shown
    assert password not in within.run("device", "list", "--json")[1]
    assert password.encode() not in (within.directory / "state" / "postbell.db").read_bytes()


def test_a_device_gets_a_new_password_and_stays_what_it_was(within):
    within.run("user", "add", "carol", "--address", "carol@example.org")
    before = within.json("device", "add", "carol", "phone")
    code, shown, _ = within.run("device", "password", "carol", "phone", "--qr")
    assert (code, "█" in shown or "▀" in shown, "The password is shown only now." in shown) == (0, True, True)
    after = within.json("device", "password", "carol", "phone")
    assert after.pop("password") != before.pop("password")
    assert after == before
    assert [device["device"] for device in within.json("device", "list", "carol")] == ["phone"]


@pytest.mark.parametrize("kind", ["sender", "admin"])
def test_other_logins_get_new_passwords(within, kind):
    before = within.json(kind, "add", f"the-{kind}")
    after = within.json(kind, "password", f"the-{kind}")
    assert after.pop("password") != before.pop("password")
    assert after == before
    assert within.json(kind, "list") == [f"the-{kind}"]
    code, said_then = within.words(kind, "password", "nobody")
    assert (code, "there is no" in said_then) == (1, True)


@pytest.mark.parametrize(("kind", "login_of"), [("sender", ""), ("admin", ""), ("node", "bridge-")])
def test_other_logins_are_added_listed_and_removed(within, kind, login_of):
    login = within.json(kind, "add", f"the-{kind}")
    assert login["username"] == f"{login_of}the-{kind}"
    assert len(login["password"]) >= 22
    assert within.json(kind, "list") == [f"the-{kind}"]
    code, said_then = within.words(kind, "add", f"the-{kind}")
    assert (code, "already" in said_then) == (1, True)
    within.run(kind, "remove", f"the-{kind}")
    assert within.json(kind, "list") == []
    code, said_then = within.words(kind, "remove", f"the-{kind}")
    assert (code, "there is no" in said_then) == (1, True)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("user add Alice --address a@x.org", 2, "'Alice' cannot be a user: use 1 to 32 of a-z 0-9 _ -"),
        ("user add dave", 2, "Missing option '--address'"),
        ("user add dave --address nonsense", 2, "'nonsense' is not a mail address"),
        ("user remove nobody", 1, "there is no user 'nobody'"),
        ("user change nobody --address a@x.org", 1, "there is no user 'nobody'"),
        ("user change nobody", 2, "nothing to change"),
        ("user change taken --view-off box", 2, "'box' is no view; there are last, text, unread, event"),
        ("user change taken --remove-address other@x.org", 1, "taken has no address other@x.org"),
        ("user add taken --address t2@x.org", 1, "there is a user 'taken' already"),
        ("user add dave --address taken@x.org", 1, "taken@x.org belongs to taken already"),
        ("device add nobody phone", 1, "there is no user 'nobody'"),
        ("device add taken My-Phone", 2, "'My-Phone' cannot be a device"),
        ("device password taken phone", 1, "taken has no device 'phone'; add it with: postbell device add taken phone"),
        ("device revoke taken phone", 1, "taken has no device 'phone'"),
        ("device list nobody", 1, "there is no user 'nobody'"),
        ("admin add bridge", 2, "'bridge' cannot be an administrator's login"),
        ("admin add bridge-two", 2, "'bridge-two' cannot be an administrator's login"),
        ("node add Two", 2, "'Two' cannot be a node"),
        ("watch taken/phone", 1, "taken has no device 'phone'; add it with: postbell device add taken phone"),
        ("send absent.eml --to a@x.org", 2, "absent.eml: No such file or directory"),
        ("send - --to a@x.org --server localhost", 2, "'localhost': write HOST:PORT or unix:/PATH"),
        ("send - --to a@x.org --server 127.0.0.1:1", 1, "the SMTP listener at 127.0.0.1:1 did not take the mail"),
        ("--config absent.toml status", 2, "absent.toml: no such file; create it or name another with --config"),
        ("nonsense", 2, "No such command 'nonsense'"),
        ("status --nonsense", 2, "No such option"),
    ],
)
def test_what_is_wrong_is_said_with_the_cure(within, command, code, words):
    within.run("user", "add", "taken", "--address", "taken@x.org")
    got, text = within.words(*command.split())
    assert words in text
    assert got == code


def test_send_needs_a_listener(within, monkeypatch):
    monkeypatch.setenv("POSTBELL_SMTP__LISTEN", "")
    code, text = within.words("send", "-", "--to", "a@x.org")
    assert (code, "smtp.listen is off; write HOST:PORT or unix:/PATH" in text) == (2, True)


def test_a_device_is_told_the_brokers_address_as_it_is_configured(within, monkeypatch):
    within.run("user", "add", "erin", "--address", "erin@example.org")
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    monkeypatch.setenv("POSTBELL_MQTT__URL", "mqtts://broker.lan:8884")
    assert within.json("device", "add", "erin", "phone")["mqtt_url"] == "mqtts://broker.lan:8884"
    monkeypatch.setenv("POSTBELL_BROKER__PUBLIC_URL", "wss://mail.example.org/mqtt")
    assert within.json("device", "add", "erin", "tablet")["mqtt_url"] == "wss://mail.example.org/mqtt"


def test_on_a_terminal_a_list_is_a_table(within, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    within.run("user", "add", "frank", "--address", "frank@example.org")
    code, text = within.words("user", "list")
    assert code == 0
    for word in ("addresses", "unseen", "frank@example.org"):
        assert word in text


def test_a_bad_configuration_is_told_by_every_command(within):
    file = within.directory / "bad.toml"
    file.write_text("[retain]\ncount = 0\n")
    for command in (("serve", "--config", str(file)), ("--config", str(file), "status")):
        code, _, err = within.run(*command)
        assert code == 2
        assert err.startswith(f"postbell: {file}:2: retain.count = 0: ")


# --- a database of an older version ---------------------------------------------------------------


@pytest.fixture
def older(within):
    """The state of an older version: its database."""
    path = within.directory / "state" / "postbell.db"
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent / "schemas" / "0001.sql").read_text())
    return path


def test_a_change_makes_it_newer_and_says_where_it_is_kept_as_it_was(within, older):
    code, out, err = within.run("user", "add", "carol", "--address", "carol@example.org", "--json")
    [copy] = copies.listed(older)
    assert (code, json.loads(out)["user"]) == (0, "carol")
    assert f"as it was before it is kept as {copy.path}" in err
    assert json.loads(within.run("status", "--json")[1])["copies"] == [{"file": str(copy.path), "schema": 1}]
    assert f"{copy.path}, of before a migration" in within.words("status")[1]
    assert within.run("user", "add", "dave", "--address", "dave@example.org")[2] == ""


def test_a_change_leaves_it_to_the_bridge_that_still_runs(within, older):
    with runfile.only_one(older.parent / "run", runfile.BRIDGE):
        code, text = within.words("user", "add", "carol", "--address", "carol@example.org")
    assert code == 1
    assert "the bridge that runs is of an older version (schema 1); start it anew first" in text
    assert database.schema(older) == 1


def test_a_look_leaves_it_as_it_is(within, older):
    code, text = within.words("status")
    assert code == 1
    assert "of an older Postbell (schema 1" in text
    assert database.schema(older) == 1
    assert database.schema(older.with_name("other.db")) is None


# --- on a running system --------------------------------------------------------------------------


def test_status_tells_what_programs_need(running):
    status = asked(running, "status")
    mail, devices = {"smtp", "smtps", "lmtp"}, {"mqtt", "mqtts", "websocket", "secure_websocket"}
    assert status["listeners"].keys() == status["configured"].keys() == {*mail, *devices, "http"}
    assert (status["ok"], status["known"], status["down"]) == (True, True, [])
    for name in ("smtp", "mqtt"):
        assert re.fullmatch(r"127\.0\.0\.1:\d+", status["listeners"][name])
    assert status["listeners"]["lmtp"] is None
    assert status["broker"]["connected"] is True
    assert (status["running"], status["users"], status["store"]) == (True, 1, "ok")
    assert isinstance(status["outbox"], int)
    assert isinstance(status["live"], int)
    text = said(running.run("status"))
    assert "bridge running" in text
    assert "broker connected" in text


def test_status_of_a_system_that_does_not_run_says_so(tmp_path):
    socket = f"unix:{tmp_path / 'smtp.sock'}"
    with System(tmp_path, POSTBELL_SMTP__LISTEN=socket) as system:
        system.run("admin", "add", "anybody")
        status = asked(system, "status", code=1)
        assert (status["running"], status["broker"]["connected"], status["store"]) == (False, False, "ok")
        assert status["down"] == ["bridge", "broker", "connection", "smtp", "mqtt"]
        assert set(status["listeners"].values()) == {None}
        serving = system.serve()
        assert asked(system, "status")["listeners"]["smtp"] == socket
        system.run("user", "add", "alice", "--address", "alice@example.org")
        (tmp_path / "mail.eml").write_bytes(b"Subject: over a UNIX socket\n\nhello\n")
        assert asked(system, "send", "mail.eml", "--to", "alice@example.org")["code"] == 250
        system.stop(serving)
        status = asked(system, "status", code=1)
        assert status["running"] is False
        assert set(status["listeners"].values()) == {None}, "nobody listens any more"


def test_status_tells_the_mistake_for_which_the_broker_does_not_run(tmp_path):
    with System(tmp_path, POSTBELL_BROKER__SESSION_DAYS="0") as system:
        system.run("admin", "add", "anybody")
        told = system.run("status", "--json", check=False)
    assert told.returncode == 2
    assert json.loads(told.stdout)["down"] == ["bridge", "broker", "connection", "smtp", "mqtt"]
    assert "POSTBELL_BROKER__SESSION_DAYS: broker.session_days = '0': too small; write more than 0" in told.stderr


def test_status_tells_what_is_configured_and_not_up(tmp_path):
    with System(tmp_path, POSTBELL_LMTP__LISTEN=f"unix:{tmp_path}/lmtp.sock") as system:
        system.start("bridge")
        until(lambda: system.facts("bridge").get("smtp"), what="the bridge to listen")
        status = asked(system, "status", code=1)
        assert status["down"] == ["broker", "connection", "mqtt"]
        assert status["listeners"]["lmtp"] == status["configured"]["lmtp"] == f"unix:{tmp_path}/lmtp.sock"
        text = said(system.run("status", check=False))
        assert "broker not running" in text
        assert "mqtt not up; it is to be at 127.0.0.1:0" in text
        system.environment["POSTBELL_BROKER__TLS_LISTEN"] = "127.0.0.1:8883"
        assert asked(system, "status", code=2)["down"] == ["broker", "connection", "mqtt", "mqtts"]


def test_only_one_bridge_runs_on_a_state_directory(running):
    for command in (("serve",), ("salvage",)):
        second = running.run(*command, check=False)
        assert (second.returncode, "runs already" in second.stderr) == (1, True)


def test_send_tells_the_reply_and_who_was_refused(running, tmp_path):
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"Subject: over the command line\n\nhello\n")
    sent = asked(running, "send", str(mail), "--to", "alice@example.org", "--from", "me@example.net")
    assert (sent["code"], sent["refused"]) == (250, {})
    assert re.fullmatch(r"2\.0\.0 [0-9a-z]{9} kept", sent["answer"])
    partly = asked(running, "send", str(mail), "--to", "alice@example.org", "--to", "no@example.org", code=1)
    assert partly["code"] == 250
    assert partly["refused"]["no@example.org"].startswith("550 5.1.1")
    nobody = running.run("send", str(mail), "--to", "no@example.org", check=False)
    assert nobody.returncode == 1
    assert "550" in nobody.stdout


def test_send_says_that_a_mail_is_a_copy_of_a_known_one(running, tmp_path):
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"Message-ID: <twice@example.org>\nSubject: twice\n\nhello\n")
    first, second = (running.run("send", str(mail), "--to", "alice@example.org").stdout for _ in range(2))
    mail_id = first.split()[2]
    assert first == f"250 2.0.0 {mail_id} kept\n"
    assert second == f"250 2.0.0 {mail_id} kept before, a copy does not ring again\n"


def test_users_and_addresses_count_at_once_and_so_does_their_removal(running):
    def answer(address):
        with running.smtp() as smtp:
            smtp.ehlo("test.example")
            smtp.mail("")
            return smtp.rcpt(address)[0]

    assert answer("dora@example.org") == 550
    running.run("user", "add", "dora", "--address", "dora@example.org")
    assert answer("dora@example.org") == 250
    running.run("user", "change", "dora", "--address", "d@example.org")
    assert answer("d@example.org") == 250
    running.run("user", "remove", "dora")
    assert answer("dora@example.org") == 550


def test_devices_may_connect_within_a_second_and_are_thrown_out_when_revoked(running):
    login = asked(running, "device", "add", "alice", "watch")
    clients = []

    def let_in():
        client, events = connecting(running.mqtt_port(), login)
        clients.append(client)
        until(lambda: events, what="CONNACK", patience_s=10)
        return events if events[0] == "Success" else None

    try:
        events = until(let_in, what="the new device to be let in", patience_s=5)
        running.run("device", "revoke", "alice", "watch")
        until(lambda: events[-1] == "gone", what="the session to end", patience_s=5)
        assert let_in() is None
    finally:
        for client in clients:
            client.disconnect()
            client.loop_stop()


def connecting(port, login):
    """A client on its way in, and what becomes of it: the broker's answer, then `gone`."""
    events = []
    client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.username_pw_set(login["username"], login["password"])
    client.on_connect = lambda _c, _u, _f, reason, _p: events.append(str(reason))
    client.on_disconnect = lambda *_: events.append("gone")
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client, events


def test_on_the_server_watch_keeps_its_session_whoever_else_reads(tmp_path):
    """A second command for the same device, or a restart, costs neither the connection nor what waits."""
    with System(tmp_path, POSTBELL_RETAIN__COUNT="2", POSTBELL_MQTT__ROOT="post") as system:
        system.serve()
        system.add("alice")
        shown, log = tmp_path / "watch.log", tmp_path / "serve.log"

        def watch():
            return system.start("watch", "alice/phone", "--json")

        def subjects():
            return [json.loads(line)["subject"] for line in shown.read_text().splitlines() if line.startswith("{")]

        watching = watch()
        first = system.send(b"Subject: first\n\nhello\n", "alice@example.org")
        until(lambda: subjects() == ["first"], what="the first mail")
        for _ in range(2):
            assert system.run("read", "alice/phone", first).stdout == "hello\n"
        second = system.run("watch", "alice/phone", check=False)
        assert (second.returncode, "another process uses the state file" in second.stderr) == (1, True)
        system.stop(watching, signal.SIGKILL)
        wanted = ["first"] + [f"away {number}" for number in range(9)]
        for subject in wanted[1:]:
            system.send(f"Subject: {subject}\n\n.\n".encode(), "alice@example.org")
        system.wait_drained()
        watch()
        until(lambda: len(subjects()) >= len(wanted), what="what waited, more than is retained")
        assert subjects() == wanted
        assert shown.read_text().count("connected") == 2
        assert "revoked" not in log.read_text()


def test_ports_that_were_chosen_stay_over_a_restart(tmp_path):
    with System(tmp_path) as system:
        serving = system.serve()
        before = asked(system, "status")["listeners"]
        system.stop(serving)
        system.serve()
        assert asked(system, "status")["listeners"] == before


def test_a_port_that_is_taken_is_told(tmp_path, running):
    taken = running.facts("bridge")["smtp"]
    with System(tmp_path, POSTBELL_SMTP__LISTEN=taken) as system:
        bridge = system.start("bridge")
        until(lambda: system.facts("bridge").get("awaited"), what="the bridge to wait")
        assert system.facts("bridge")["awaited"]["smtp"].startswith("another program listens there")
        assert system.stop(bridge) == 0
    said = (tmp_path / "bridge.log").read_text()
    assert taken in said
    assert "smtp.listen: end it, or choose another address" in said

"""Commands in this process, on a store of their own: what they say, and what they leave behind."""

from __future__ import annotations

import json
import socketserver
import sys
import threading

import pytest

from bridge.cli import demo, main
from bridge.config import loading
from bridge.config.endpoints import TcpAddress
from bridge.errors import ConfigurationError, PostbellError, StoreUnavailableError
from bridge.store import logins, offline
from tests.support.stored import add_user


@pytest.fixture
def postbell(tmp_path, monkeypatch, capsys):
    """Runs `postbell …` on a store with alice: exit code, standard output, standard error."""
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("POSTBELL_BROKER__LISTEN", "127.0.0.1:1883")
    add_user(tmp_path / "postbell.db", "alice")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", *arguments])
        code = main.run()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_salvage_says_table_by_table_what_was_saved(postbell, tmp_path):
    code, out, err = postbell("salvage")
    assert (code, err) == (0, "")
    assert "user            1 saved\n" in out
    kept_as = tmp_path / "postbell.db.damaged-1"
    assert out.splitlines()[-1] == f"nothing was damaged; the file as it was is kept as {kept_as}"


def test_salvage_tells_programs_the_same(postbell, tmp_path):
    code, out, _ = postbell("salvage", "--json")
    saved = json.loads(out)
    assert code == 0
    assert saved["rows"]["user"] == 1
    assert saved["damaged"] == []
    assert saved["kept_as"] == str(tmp_path / "postbell.db.damaged-1")


def test_an_address_is_taken_away(postbell):
    assert postbell("user", "change", "alice", "--address", "a@example.org")[0] == 0
    assert postbell("user", "change", "alice", "--remove-address", "alice@example.org")[:2] == (0, "changed alice\n")
    (alice,) = json.loads(postbell("user", "list", "--json")[1])
    assert alice["addresses"] == ["a@example.org"]


def test_a_device_is_told_where_and_how_to_log_in_for_people_to_read(postbell):
    code, out, _ = postbell("device", "add", "alice", "phone")
    assert code == 0
    assert out.startswith("mqtt_url  mqtt://127.0.0.1:1883\nusername  alice.phone\npassword  ")
    assert "mail/alice/text" in out


def test_a_name_is_given_once(postbell):
    assert postbell("device", "add", "alice", "phone")[0] == 0
    assert "a device 'phone' already" in postbell("device", "add", "alice", "phone")[2]
    assert postbell("sender", "add", "printer")[0] == 0
    code, _, err = postbell("sender", "add", "printer")
    assert code == 1
    assert "a sender 'printer' already" in err


def test_a_name_that_is_none_is_refused(postbell):
    for arguments in (("device", "add", "alice", "a b"), ("sender", "add", "a/b")):
        code, _, err = postbell(*arguments)
        assert code == 2
        assert repr(arguments[-1]) in err


@pytest.mark.parametrize("part", ["MAIL", "RCPT", "DATA"])
def test_a_listener_that_refuses_is_quoted(postbell, tmp_path, part):
    """A listener of another make, which says no at one command."""

    class Refusing(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 x\r\n")
            for line in self.rfile:
                verb = line[:4].decode().upper()
                said = {"EHLO": "250-x\r\n250 SIZE", "DATA": "354 x", "QUIT": "221 x"}.get(verb, "250 x")
                self.wfile.write(f"{'550 not today' if verb == part else said}\r\n".encode())

    (tmp_path / "mail.eml").write_bytes(b"Subject: x\r\n\r\nx\r\n")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        code, out, err = postbell("send", str(tmp_path / "mail.eml"), "--to", "alice@example.org", "--server", address)
        server.shutdown()
    assert code == 1
    assert "550" in out + err
    assert "not today" in out + err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (PostbellError("broken"), 1),
        (ConfigurationError("broken"), 2),
        (BaseExceptionGroup("", [PostbellError("a"), BaseExceptionGroup("", [ConfigurationError("b")])]), 2),
        (SystemExit("text"), 1),
        (SystemExit(None), 0),
        (SystemExit(3), 3),
    ],
)
def test_an_error_is_a_line_and_a_code(monkeypatch, raised, code):
    def app(**_):
        raise raised

    monkeypatch.setattr(main, "app", app)
    assert main.run() == code


def test_a_defect_among_errors_is_not_hidden(monkeypatch, capsys):
    def app(**_):
        raise ExceptionGroup("", [PostbellError("known"), ZeroDivisionError()])

    monkeypatch.setattr(main, "app", app)
    assert main.run() == 1
    assert capsys.readouterr().err.startswith("postbell: known\npostbell: a defect: ZeroDivisionError")


@pytest.mark.usefixtures("postbell")
def test_the_demo_shows_the_same_login_at_each_start_and_a_new_one_when_its_file_is_lost(tmp_path):
    settings = loading.load()
    demo.announcer(settings)
    file = tmp_path / demo.LOGIN_FILE
    first = json.loads(file.read_text())
    demo.announcer(settings)
    assert json.loads(file.read_text()) == first
    file.unlink()
    demo.announcer(settings)
    second = json.loads(file.read_text())
    assert second["username"] == first["username"]
    assert second["password"] != first["password"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_demo_takes_another_port_when_the_usual_one_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_is_free", lambda port: port == 1883)
    chosen = demo.environment(tmp_path)
    assert chosen["POSTBELL_SMTP__LISTEN"] == "127.0.0.1:0"
    assert chosen["POSTBELL_BROKER__LISTEN"] == "127.0.0.1:1883"


def test_nothing_is_read_where_there_is_no_database(tmp_path):
    with pytest.raises(StoreUnavailableError, match="there is no database"), offline.reading(tmp_path / "postbell.db"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_fails_half_way_leaves_nothing(tmp_path):
    add_user(tmp_path / "postbell.db", "alice")

    def two_of_a_name():
        with offline.transaction(tmp_path / "postbell.db", now_ms=1, count=1, days=1) as transaction:
            logins.add_sender(transaction, "printer")
            logins.add_sender(transaction, "printer")

    with pytest.raises(logins.LoginError):
        two_of_a_name()
    with offline.reading(tmp_path / "postbell.db") as connection:
        assert connection.execute("SELECT count(*) FROM sender").fetchone() == (0,)


def test_the_demo_listens_where_it_is_told_and_keeps_its_data_to_itself(tmp_path):
    given = {
        "POSTBELL_BROKER__LISTEN": "0.0.0.0:1883",
        "POSTBELL_LOG__LEVEL": "debug",
        "POSTBELL_STATE_DIR": "/srv/mail",
    }
    chosen = demo.environment(tmp_path, given)
    assert chosen.pop("POSTBELL_SMTP__LISTEN").startswith("127.0.0.1:")
    assert chosen.pop("POSTBELL_HTTP__LISTEN").startswith("127.0.0.1:")
    assert chosen == given | {"POSTBELL_STATE_DIR": str(tmp_path / ".demo")}


@pytest.mark.parametrize(("host", "lines"), [("127.0.0.1", 6), ("localhost", 6), ("192.168.178.20", 7)])
def test_the_demo_says_what_a_phone_in_the_network_needs(host, lines):
    login = {"username": "demo.phone", "password": "secret"}
    link = "http://127.0.0.1:8025/#pair=e30"
    shown = demo.screen(login, smtp="127.0.0.1:2525", mqtt=TcpAddress(host, 1883), link=link)
    assert len(shown) == lines
    assert shown[2] == f"In a browser {link}"
    if lines == 7:
        assert "device add demo app --qr" in shown[-1]
        assert "host 192.168.178.20, port 1883, no TLS" in shown[-1]

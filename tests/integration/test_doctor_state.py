"""`postbell doctor` on state directories that something is wrong with: it is found, and nothing is changed or made."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.daemon import runfile
from bridge.doctor import rounds
from bridge.doctor.judge.check import Check
from bridge.doctor.look import store as store_look
from bridge.store import database
from tests.support.stored import add_user

DOWN = {"service.bridge", "service.broker"}


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A state directory with alice in it, and no configuration but the environment's."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    add_user(directory / "postbell.db", "alice")
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(directory))
    monkeypatch.setenv("POSTBELL_BODY__TOTAL", "1M")
    for listener in ("SMTP", "BROKER"):  # at ports that nobody else has
        monkeypatch.setenv(f"POSTBELL_{listener}__LISTEN", "127.0.0.1:0")
    monkeypatch.chdir(tmp_path)
    return directory


@pytest.fixture
def doctor(state, monkeypatch, capsys):
    """Runs it: exit code, and what is broken by check."""
    assert state.exists()

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", "doctor", "--json", *arguments])
        code = main.run()
        objects = json.loads(capsys.readouterr().out)
        assert all(each.keys() == {"check", "ok", "problem", "cure"} for each in objects)
        if code != 2:
            assert {each["check"] for each in objects} == set(Check)
        return code, {each["check"]: each for each in objects if each["ok"] is False}

    return run


def tree(directory):
    return {str(path): path.stat().st_mtime_ns for path in directory.rglob("*")}


@contextmanager
def running(directory, name):
    """What a process says and holds while it runs."""
    (directory / "run").mkdir(mode=0o700, exist_ok=True)
    runfile.write(directory / "run", name, {"pid": os.getpid()})
    with (directory / "run" / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_sound_state_without_anybody_who_runs(state, doctor):
    before = tree(state)
    code, broken = doctor()
    assert (code, broken.keys()) == (1, DOWN)
    assert tree(state) == before


def test_who_runs_is_seen(state, doctor):
    with running(state, "bridge"), running(state, "broker"):
        _, broken = doctor()
    assert not broken.keys() & {*DOWN, "user.service"}


def test_no_state_directory(state, doctor, monkeypatch):
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(state / "mistyped"))
    code, broken = doctor()
    assert (code, broken.keys()) == (1, {"store.opens", *DOWN})
    assert not (state / "mistyped").exists()


def test_a_configuration_that_cannot_be_used_ends_with_2(doctor, monkeypatch):
    monkeypatch.setenv("POSTBELL_RETAIN__COUNT", "many")
    monkeypatch.setenv("POSTBELL_SMTP__LISTEN", "here")
    code, broken = doctor()
    assert code == 2
    assert broken["configuration"]["problem"].startswith("POSTBELL_SMTP__LISTEN: smtp.listen = 'here': ")
    assert broken["configuration"]["cure"]
    assert doctor("--config", "/no/such/file")[0] == 2
    assert broken.keys() == {"configuration"}


def test_a_mistake_in_the_brokers_part_is_one_as_well(doctor, monkeypatch):
    monkeypatch.setenv("POSTBELL_BROKER__SESSION_DAYS", "-1")
    code, broken = doctor()
    assert (code, broken.keys()) == (2, {"configuration"})


def test_a_variable_that_sets_nothing_is_shown_and_breaks_nothing(doctor, monkeypatch, capsys):
    monkeypatch.setenv("POSTBELL_FLAVOUR", "sweet")
    _, broken = doctor()
    assert broken.keys() == DOWN
    monkeypatch.setattr(sys, "argv", ["postbell", "doctor", "--look-only"])
    main.run()
    lines = capsys.readouterr().out.splitlines()
    (told,) = [place for place, line in enumerate(lines) if "POSTBELL_FLAVOUR: no such variable" in line]
    assert lines[told].startswith("  ✓ configuration")
    assert lines[told + 1].strip().startswith("→ ")


def test_another_programs_database(state, doctor):
    (state / "postbell.db").unlink()
    with closing(sqlite3.connect(state / "postbell.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    assert "store.opens" in doctor()[1]


def test_a_file_that_is_no_database(state, doctor):
    (state / "postbell.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    assert "not a database" in doctor()[1]["store.opens"]["problem"]


def test_a_damaged_database(state, doctor):
    path = state / "postbell.db"
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    assert doctor()[1].keys() >= {"store.sound"}


@pytest.mark.parametrize(("schema", "told"), [(1, "older"), (99, "newer")])
def test_another_versions_schema(state, doctor, schema, told):
    with closing(database.connect(state / "postbell.db")) as connection:
        connection.execute(f"PRAGMA user_version = {schema}")
    assert told in doctor()[1]["store.schema"]["problem"]


def test_a_database_that_cannot_be_written(doctor, restricted):
    restricted.add("query_only = ON")
    assert "readonly" in doctor()[1]["store.writable"]["problem"]


def test_a_disk_that_takes_nothing_more(state, doctor, monkeypatch):
    monkeypatch.setattr(store_look, "BLOCK", b"")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in doctor()[1]["store.writable"]["problem"]
    assert [path.name for path in state.iterdir()] == ["postbell.db"]


def test_a_log_that_grows_and_grows(state, doctor):
    (state / "postbell.db-wal").touch()
    with closing(sqlite3.connect(state / "postbell.db")) as keeps_it_open:
        keeps_it_open.execute("SELECT count(*) FROM user").fetchone()
        os.truncate(state / "postbell.db-wal", 300 * 2**20)
        assert "300 MiB" in doctor()[1]["store.log"]["problem"]


def test_more_mail_may_pile_up_than_there_is_room(doctor, monkeypatch):
    monkeypatch.setenv("POSTBELL_BODY__TOTAL", str(2**60))
    assert "body.total" in doctor()[1]["store.room"]["cure"]


def test_a_database_too_large_to_be_looked_through_is_not_called_damaged(doctor, monkeypatch):
    monkeypatch.setattr(rounds, "DAMAGE_S", -1)
    monkeypatch.setattr(store_look, "STEPS", 1)
    assert doctor()[1].keys() == DOWN


def test_a_clock_that_was_ahead(state, doctor):
    with closing(database.connect(state / "postbell.db")) as connection:
        connection.execute("UPDATE user SET last_number = 1 << 44")
    os.utime(state / "postbell.db", ns=(time.time_ns(), time.time_ns() + 3600 * 10**9))
    assert doctor()[1].keys() == {"clock.ids", "clock.files", *DOWN}


def test_files_of_another_user(state, doctor):
    if os.geteuid():
        pytest.skip("needs root to give files away")
    os.chown(state / "postbell.db", 65_534, 65_534)
    (state / "local.key").write_bytes(b"k")
    with running(state, "bridge"):
        broken = doctor()[1]
    assert broken.keys() >= {"user.service", "files.owned", "files.closed"}
    assert str(state / "local.key") in broken["files.owned"]["problem"]


@contextmanager
def somebody_else():
    if os.geteuid():
        pytest.skip("needs root to become somebody else")
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_somebody_else_is_told_whose_command_it_is(doctor, monkeypatch):
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        (place / "state").mkdir(mode=0o700)
        monkeypatch.setenv("POSTBELL_STATE_DIR", str(place / "state"))
        with somebody_else():
            code, broken = doctor()
        assert (code, broken.keys()) == (1, {"user.owner"})
        assert broken["user.owner"]["cure"] == "sudo -u root postbell doctor"
        place.chmod(0o700)
        with somebody_else():
            code, broken = doctor()
        assert (code, broken.keys()) == (1, {"user.owner"})
        assert broken["user.owner"]["cure"] == "sudo postbell doctor"


def test_files_that_the_configuration_names(doctor, tmp_path):
    password, config = tmp_path / "word", tmp_path / "bell.toml"
    password.write_text("word")
    password.chmod(0o644)
    config.write_text(f'mqtt.password_file = "{password}"\nlmtp.listen = "unix:{tmp_path}/no/such/l"\n')
    config.chmod(0o666)
    broken = doctor("--config", str(config))[1]
    assert broken.keys() >= {"files.secrets", "files.configuration"}


def test_a_socket_that_the_service_cannot_make(state, doctor, monkeypatch, tmp_path):
    if os.geteuid():
        pytest.skip("needs root to give files away")
    for path in (state, *state.iterdir()):
        os.chown(path, 65_534, 65_534)
    (tmp_path / "run").mkdir(mode=0o755)
    monkeypatch.setenv("POSTBELL_LMTP__LISTEN", f"unix:{tmp_path}/run/lmtp.sock")
    assert "nobody cannot make a socket there" in doctor()[1]["files.run"]["problem"]


@pytest.mark.parametrize(
    ("url", "check", "told"),
    [
        ("mqtts://no-such-host.invalid", "name.resolves", "no-such-host.invalid has no address"),
        ("mqtt://127.0.0.1:1", "name.port", "127.0.0.1:1"),
    ],
)
def test_what_devices_are_told_and_cannot_use(doctor, monkeypatch, url, check, told):
    monkeypatch.setenv("POSTBELL_BROKER__PUBLIC_URL", url)
    assert told in doctor()[1][check]["problem"]


def test_what_the_embedded_broker_keeps_is_damaged(state, doctor):
    (state / "sessions.db").write_bytes(b"no database at all, but long enough to look like one" * 100)
    with running(state, "bridge"), running(state, "broker"):
        assert "sessions.db is damaged" in doctor()[1]["broker.keeps"]["problem"]


@pytest.mark.usefixtures("state")
def test_for_people_a_hop_is_a_line_and_what_is_broken_has_its_own(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["postbell", "doctor"])
    assert main.run() == 1
    said = capsys.readouterr().out
    assert "✓ store\n" in said
    assert "store.opens" not in said
    assert "  ✗ service.bridge" in said
    assert "→ systemctl start postbell" in said
    assert "2 broken" in said
    monkeypatch.setattr(sys, "argv", ["postbell", "doctor", "--verbose"])
    assert main.run() == 1
    assert "store.opens" in capsys.readouterr().out


@pytest.mark.usefixtures("state")
def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "argv", ["postbell", "doctor"])
    with suppress(SystemExit):
        main.run()
    assert "\x1b" not in capsys.readouterr().out


def test_when_no_time_is_left_the_rest_is_not_known(doctor, monkeypatch):
    monkeypatch.setattr(rounds, "TOTAL_S", 0.0)
    assert doctor() == (0, {})

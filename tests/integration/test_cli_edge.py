"""No command ends in a traceback: every one as the wrong user, without configuration, and with a wrong one."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

import bridge.daemon.process
import broker.app  # noqa: F401 - as below
from bridge.cli import processes
from bridge.store import offline, pairing
from broker import __main__ as broker_program
from clients.cli import commands as clients_program
from clients.terminal.read import command as _read  # noqa: F401 - as above
from clients.terminal.watch import command as _watch  # noqa: F401 - as above
from clients.terminal.watch.loop import Watch
from tests.support.command_line import commands, example, forked
from tests.support.stored import add_user

NOBODY = 65_534
STAYING = {("serve",), ("bridge",), ("broker",)}
"""Commands that stay when nothing is wrong."""
EVERY = dict(commands())
COLOURED = re.compile(r"\x1b\[(?:\d+;)*(?:[349][0-7]|[34]8;)")
"example.org".encode("idna")  # a module that is imported by its name, and as another user cannot be
STATEFUL = {
    words
    for words in EVERY
    if words[0] in {*("user", "device", "sender", "admin", "node", "setup"), *("watch", "read", "status", "salvage")}
    or words[0] in {"reconcile", *(name for (name,) in STAYING)}
}
"""Commands that are about what is in the state directory alone. Others say in words of their own what is wrong."""
CLIENTS = {("watch",), ("read",)}

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """No broker listens for whoever looks for one."""
    monkeypatch.setattr(bridge.daemon.process, "CONNECT_ONCE_S", 0.2)


@pytest.fixture
def place():
    """A directory that others may enter, which they may not with those of pytest's."""
    with tempfile.TemporaryDirectory(prefix="postbell-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def state(place):
    """A state directory with alice and her phone."""
    path = place / "state"
    path.mkdir(mode=0o700)
    add_user(path / "postbell.db", "alice")
    with offline.transaction(path / "postbell.db", now_ms=1, count=1, days=1) as transaction:
        pairing.add_device(transaction, "alice", "phone")
    return path


def ended(words, place, uid=None, **variables):
    environment = {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "LANG": "C.UTF-8"}
    environment |= {"FORCE_COLOR": "1", "NO_COLOR": "1"}  # as on a terminal of somebody who wants no colours
    done = forked(
        example(words, EVERY[words]),
        directory=place,
        environment=environment | {name: str(value) for name, value in variables.items()},
        uid=uid,
    )
    assert "Traceback" not in done.said
    assert "a defect" not in done.said
    assert not COLOURED.search(done.said)
    assert done.code in {0, 1, 2}, done.said
    assert done.said or done.code == 0
    return done


@root_only
@pytest.mark.parametrize("words", sorted(EVERY), ids=" ".join)
def test_who_has_no_home_is_told_so(words, place):
    """A number that no account has, as in a container: there is no place for anything but what is named."""
    done = forked(example(words, EVERY[words]), directory=place, environment={"PATH": os.environ["PATH"]}, uid=65_533)
    assert "Traceback" not in done.said
    assert "a defect" not in done.said
    if words in STATEFUL - CLIENTS:
        assert done.code == 2
        assert "no home directory" in done.said


@pytest.mark.parametrize("words", sorted(EVERY.keys() - STAYING), ids=" ".join)
def test_without_any_configuration(words, place):
    ended(words, place)


@root_only
@pytest.mark.parametrize("words", sorted(EVERY), ids=" ".join)
def test_as_somebody_else(words, place, state):
    done = ended(words, place, uid=NOBODY, POSTBELL_STATE_DIR=state, POSTBELL_SMTP__LISTEN="127.0.0.1:1")
    if words in STATEFUL:
        assert done.code != 0
        assert f"this belongs to root: sudo POSTBELL_SMTP__LISTEN=127.0.0.1:1 POSTBELL_STATE_DIR={state}" in done.said
        assert f" postbell {' '.join(words)}" in done.said


@pytest.mark.parametrize("words", sorted(EVERY), ids=" ".join)
def test_with_a_file_in_the_place_of_the_state_directory(words, place):
    (place / "file").write_text("")
    done = ended(words, place, POSTBELL_STATE_DIR=place / "file" / "state", POSTBELL_SMTP__LISTEN="127.0.0.1:1")
    if words in STATEFUL:
        assert done.code != 0
        assert "state_dir" in done.said or str(place / "file") in done.said


@pytest.mark.parametrize("words", sorted(EVERY), ids=" ".join)
def test_with_a_configuration_that_cannot_be_read(words, place):
    file = place / "postbell.toml"
    file.write_bytes(b"\xff\xfe not TOML")
    for uid, mode in ((None, 0o644), (NOBODY if os.geteuid() == 0 else None, 0o000)):
        file.chmod(mode)
        done = ended(words, place, uid, POSTBELL_CONFIG=file)
        if words in STATEFUL:
            assert done.code == 2
            assert str(file) in done.said


@root_only
@pytest.mark.parametrize("words", sorted(EVERY.keys() - STAYING - CLIENTS), ids=" ".join)
def test_root_leaves_nothing_that_the_owner_cannot_write(words, place, state):
    """Whatever a command does in a directory of another user's, root does as that user."""
    for path in (state, *state.rglob("*")):
        shutil.chown(path, NOBODY, NOBODY)
    ended(words, place, POSTBELL_STATE_DIR=state, POSTBELL_SMTP__LISTEN="127.0.0.1:1")
    assert {path.stat().st_uid for path in (state, *state.rglob("*"))} == {NOBODY}


@root_only
@pytest.mark.parametrize("words", sorted(CLIENTS), ids=" ".join)
def test_root_reads_as_the_owner_and_keeps_no_journal_of_its_own(words, place, state, monkeypatch):
    """What the client leaves, it leaves as the owner: it is run in the same fork, for a login that the store gave."""

    def become(_module, *arguments, environment):
        os.environ.update(environment)
        sys.argv = ["postbell", *arguments, *(["--timeout", "1"] if words == ("read",) else [])]
        return sys.exit(clients_program.run())

    monkeypatch.setattr(processes, "become", become)
    monkeypatch.setattr(Watch, "run", lambda _self: None)
    for path in (state, *state.rglob("*")):
        shutil.chown(path, NOBODY, NOBODY)
    done = ended(words, place, POSTBELL_STATE_DIR=state, POSTBELL_BROKER__LISTEN="127.0.0.1:1")
    assert done.code == (1 if words == ("read",) else 0), done.said
    assert (state / "watch" / "alice.phone.journal").exists()
    assert (state / "local.key").exists()
    assert {path.stat().st_uid for path in (state, *state.rglob("*"))} == {NOBODY}
    assert not (place / "home").exists()


@root_only
@pytest.mark.parametrize("words", sorted(STAYING), ids=" ".join)
def test_root_does_not_serve_what_belongs_to_another(words, place, state):
    shutil.chown(state, NOBODY, NOBODY)
    done = ended(words, place, POSTBELL_STATE_DIR=state)
    assert done.code == 2
    assert f"this belongs to nobody: sudo -u nobody POSTBELL_STATE_DIR={state} postbell {words[0]}" in done.said


OTHER_PROGRAMS = {"broker": broker_program.main, "clients": clients_program.run}
STARTED = {"broker": [], "clients": ["watch", "alice/phone", "--url", "mqtt://127.0.0.1:1"]}


@pytest.mark.parametrize("name", OTHER_PROGRAMS)
@pytest.mark.parametrize("case", ["file", pytest.param("nobody", marks=root_only), "configuration"])
def test_the_other_programs_end_in_words_as_well(name, case, place, state):
    """With a file in the place of a directory, as somebody else, and with a configuration that cannot be read."""
    (place / "file").write_text("")
    (place / "bad.toml").write_bytes(b"\xff\xfe")
    paths = {"file": place / "file" / "state", "nobody": state, "configuration": place / "file"}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "POSTBELL_STATE_DIR": str(paths[case]),
        "POSTBELL_PASSWORD": "secret",
        "POSTBELL_BROKER__LISTEN": "127.0.0.1:0",
    }
    if case == "configuration":
        environment["POSTBELL_CONFIG"] = str(place / "bad.toml")
    words = STARTED[name] + (["--state", f"{paths[case]}/journal"] if name == "clients" else [])
    uid = NOBODY if case == "nobody" else None
    done = forked(words, directory=place, environment=environment, uid=uid, program=OTHER_PROGRAMS[name])
    assert "Traceback" not in done.said
    assert "a defect" not in done.said
    assert done.code in {1, 2}, done.said
    assert str(paths[case]) in done.said or "bad.toml" in done.said

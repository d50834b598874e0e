"""How commands end as processes: with readers that left, on full disks, without streams, interrupted."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.store import offline, pairing
from tests.support.stored import add_user

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path):
    """A state directory with alice and her phone."""
    path = tmp_path / "state"
    add_user(path / "postbell.db", "alice")
    with offline.transaction(path / "postbell.db", now_ms=1, count=1, days=1) as transaction:
        pairing.add_device(transaction, "alice", "phone")
    return path


def environment(tmp_path, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTBELL_")}
    own = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "POSTBELL_STATE_DIR": str(tmp_path / "state")}
    return clean | own | {name: str(value) for name, value in variables.items()}


def ended(tmp_path, *words, module="bridge", stdout=subprocess.PIPE, before=None, **variables):
    """A program of ours, run to its end: its code, and what it complained of.

    Where something is done to the process `before`, nothing else writes in it: coverage could not.
    """
    surroundings = environment(tmp_path, **variables)
    if before is not None:
        surroundings = {name: value for name, value in surroundings.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=tmp_path,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=before,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "a defect" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("words", [["user", "list"], ["--help"], ["status", "--json"]], ids=" ".join)
def test_a_reader_that_left_is_no_error_to_tell(tmp_path, words):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        assert ended(tmp_path, *words, stdout=pipe) == (1, "")


@pytest.mark.usefixtures("state")
def test_output_that_cannot_be_written_is_told(tmp_path):
    with Path("/dev/full").open("w") as full:
        for words in (["user", "list"], ["--help"]):
            assert ended(tmp_path, *words, stdout=full) == (1, "postbell: No space left on device; make room\n")
        code, said = ended(tmp_path, "--help", module="clients", stdout=full)
        assert (code, said) == (1, "postbell: No space left on device; make room\n")


def test_a_full_disk_is_told_by_every_command_that_writes(tmp_path, state):
    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    for words in (["user", "add", "bob", "--address", "bob@example.org"], ["serve"], ["salvage"]):
        code, said = ended(
            tmp_path, *words, before=full, POSTBELL_BROKER__EMBEDDED="false", POSTBELL_MQTT__URL="mqtt://[::1]:1"
        )
        assert code == 1, said
        assert str(state) in said


def test_streams_that_are_closed_are_nobodys_files(tmp_path, state):
    """What would be printed must not land in the file that got the number of standard output."""

    def closed():
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    before = (state / "postbell.db").stat().st_size
    code, _ = ended(tmp_path, "user", "list", before=closed)
    assert code == 0
    assert (state / "postbell.db").stat().st_size == before


@pytest.mark.usefixtures("state")
def test_an_interrupt_ends_with_130_and_no_word(tmp_path):
    (tmp_path / "mail.eml").write_bytes(b"Subject: x\n\nhello\n")
    words = ["send", "mail.eml", "--to", "alice@example.org"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", *words, "--server", f"127.0.0.1:{silent.getsockname()[1]}"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stderr=subprocess.PIPE,
        )
        try:
            connection, _ = silent.accept()  # it waits for a greeting now
            with connection:
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, said) == (130, b"")


@pytest.mark.parametrize("module", ["bridge", "clients"])
def test_a_client_without_a_terminal_says_how_to_give_the_password(tmp_path, module):
    told = {"POSTBELL_URL": "mqtt://127.0.0.1:1"} if module == "bridge" else {}
    code, said = ended(tmp_path, "watch", "alice/phone", module=module, **told)
    assert code == 2
    assert "no password: use --password-file FILE or the variable POSTBELL_PASSWORD" in said


def test_watch_says_that_the_state_directory_is_wrong(tmp_path):
    code, said = ended(tmp_path, "watch", "alice/phone")
    assert code == 2
    assert f"POSTBELL_STATE_DIR: state_dir = '{tmp_path / 'state'}': there is no such directory" in said
    assert "--url URL --password-file FILE" in said

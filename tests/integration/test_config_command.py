"""`postbell config check` and `config show`, as an operator types them."""

from __future__ import annotations

import json
import os
import socket
import sys
import tomllib

import pytest

from bridge.cli import main
from bridge.cli.config import ours
from bridge.config.settings import Settings
from bridge.daemon import runfile

QUIET = '[smtp]\nlisten = "127.0.0.1:0"\n[broker]\nlisten = "127.0.0.1:0"\n'


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs `postbell config …` beside a file of this text; returns exit code, standard output and standard error."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(words, text=None, **variables):
        if text is not None:
            (tmp_path / "postbell.toml").write_text(text)
        for name, value in {"POSTBELL_STATE_DIR": str(tmp_path / "state"), **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["postbell", "config", *words.split()])
        code = main.run()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_what_is_right_is_fine(run, tmp_path):
    assert run("check", QUIET) == (0, "postbell.toml: fine\n", "")
    assert json.loads(run("check --json")[1]) == {"file": "postbell.toml", "problems": []}
    assert not (tmp_path / "state").exists(), "it only looked"
    (tmp_path / "postbell.toml").unlink()
    listeners = {"POSTBELL_SMTP__LISTEN": "127.0.0.1:0", "POSTBELL_BROKER__LISTEN": "127.0.0.1:0"}
    assert run("check", XDG_CONFIG_HOME=str(tmp_path), **listeners) == (0, "defaults, without a file: fine\n", "")


def test_everything_that_is_wrong_is_told_at_once(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        text = f"[smtp]\nlsiten = 1\nlisten = '{taken}'\n[broker]\nlisten = '127.0.0.1:0'\nsession_days = 0\n"
        code, out, _ = run("check", text, POSTBELL_RETAIN__DAYS="never")
        told = json.loads(run("check --json")[1])
    assert code == 2
    lines = out.splitlines()
    assert lines[0] == "postbell.toml:2: smtp.lsiten: no such key; did you mean smtp.listen?"
    assert lines[1].startswith(f"postbell.toml:3: smtp.listen = '{taken}': another program listens there (")
    assert lines[2] == "postbell.toml:6: broker.session_days = 0: too small; write more than 0"
    assert lines[3] == "POSTBELL_RETAIN__DAYS: retain.days = 'never': not a number; write one, as 7 or 0.5"
    assert len(lines) == 4
    assert told["problems"][1].pop("problem")
    assert told["problems"][1].pop("cure")
    place = {"file": "postbell.toml", "line": 3, "variable": ""}
    assert told["problems"][1] == {"key": "smtp.listen", "value": f"'{taken}'", **place, "may_pass": True}
    assert [problem["line"] for problem in told["problems"]] == [2, 3, 6, None]
    assert told["problems"][3]["variable"] == "POSTBELL_RETAIN__DAYS"


def test_the_addresses_of_a_running_postbell_are_its_own(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        settings = Settings(state_dir=tmp_path / "state")
        with runfile.only_one(settings.run_dir, runfile.BRIDGE):
            runfile.write(settings.run_dir, runfile.BRIDGE, {"pid": 1, "smtp": taken, "lmtp": None})
            assert ours(settings) == {taken}
            assert run("check", QUIET.replace("127.0.0.1:0", taken, 1))[0] == 0
        assert ours(settings) == set()
        assert run("check")[0] == 2


def test_who_may_not_ask_a_running_postbell_knows_its_ports_by_its_user(run, tmp_path):
    if os.geteuid():
        pytest.skip("needs root")
    for directory in (tmp_path, *tmp_path.parents):
        if directory.name.startswith(("pytest", "popen", tmp_path.name)):
            directory.chmod(directory.stat().st_mode | 0o005)
    settings = Settings(state_dir=tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as server, runfile.only_one(settings.run_dir, runfile.BRIDGE):
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "state").chmod(0o700)
        (tmp_path / "postbell.toml").write_text(QUIET.replace("127.0.0.1:0", taken, 1))
        os.setegid(65_534)
        os.seteuid(65_534)
        try:
            code, out, _ = run("check")
        finally:
            os.seteuid(0)
            os.setegid(0)
    assert code == 2
    assert "state_dir" in out, "it is told what that user may not"
    assert "smtp.listen" not in out


def test_root_asks_as_the_owner_of_the_state_directory(run, tmp_path):
    if os.geteuid():
        pytest.skip("needs root")
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 65_534, 65_534)
    secret = tmp_path / "password"
    secret.write_text("x")
    secret.chmod(0o600)
    for directory in (tmp_path, *tmp_path.parents):
        if directory.name.startswith(("pytest", "popen", tmp_path.name)):
            directory.chmod(directory.stat().st_mode | 0o005)
    code, out, _ = run("check", f"{QUIET}[mqtt]\npassword_file = '{secret}'\n")
    assert code == 2
    assert f"postbell.toml:6: mqtt.password_file = '{secret}': user nobody may not read it; give it to" in out


def test_a_nodes_file_has_the_nodes_own_line(run, tmp_path):
    nodes, own = tmp_path / "nodes", tmp_path / "password"
    text = f"{QUIET}[mqtt]\nnodes_file = '{nodes}'\n"
    assert "mqtt.nodes_file = " in (told := run("check", text, POSTBELL_NODE="b")[1])
    assert "there is no such file" in told
    nodes.write_text("a: of a\n")
    assert "it has no line for the node b; add b:PASSWORD, on all machines" in run("check", text, POSTBELL_NODE="b")[1]
    assert run("check", text, POSTBELL_NODE="a")[0] == 0
    own.write_text("other\n")
    text += f"password_file = '{own}'\n"
    told = run("check", text, POSTBELL_NODE="a")[1]
    assert "the password of a is another one than that of mqtt.password_file" in told
    own.write_text("of a\n")
    assert run("check", text, POSTBELL_NODE="a")[0] == 0


def test_show_prints_what_differs_with_its_place_as_a_file(run, tmp_path):
    text = f'state_dir = "{tmp_path}/s"\n{QUIET}[limits]\nqueue_bytes = "2M"\ncommands = 10_000\n'
    code, out, _ = run("show", text, POSTBELL_RETAIN__DAYS="3", POSTBELL_LOG__LEVEL="debug")
    assert code == 0
    assert out.splitlines() == [
        f'state_dir = "{tmp_path}/state"  # POSTBELL_STATE_DIR', "",
        "[smtp]", 'listen = "127.0.0.1:0"  # postbell.toml:3', "",
        "[broker]", 'listen = "127.0.0.1:0"  # postbell.toml:5', "",
        "[retain]", "days = 3  # POSTBELL_RETAIN__DAYS", "",
        "[log]", 'level = "debug"  # POSTBELL_LOG__LEVEL', "",
        "[limits]", 'queue_bytes = "2M"  # postbell.toml:7',
    ]  # fmt: skip
    told = {each["key"]: each for each in json.loads(run("show --json")[1])}
    assert told["limits.queue_bytes"]["value"] == 2 * 2**20
    assert told["limits.queue_bytes"]["from"] == "postbell.toml:7"
    assert "limits.commands" not in told


def test_show_all_prints_every_key_as_a_file_that_says_the_same(run):
    _, out, _ = run("show --all", QUIET)
    assert '\n# How large they may be together. (size, "1k" or more)\nqueue_bytes = "8M"  # default\n' in out
    assert tomllib.loads(out)["limits"]["queue"] == 10_000
    told = json.loads(run("show --json", out)[1])
    assert [each["key"] for each in told] == ["state_dir", "smtp.listen", "broker.listen"]


def test_show_of_nothing_says_so(run, monkeypatch):
    monkeypatch.setattr("bridge.config.settings.os.geteuid", lambda: 0)
    _, out, _ = run("show", "", POSTBELL_STATE_DIR="/var/lib/postbell")
    assert out == "# nothing differs from the defaults\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[smtp]\nlisten = 1\n[broker]\nsession_days = 0",
            ["postbell.toml:2: smtp.listen", "postbell.toml:4: broker."],
        ),
        ("[broker]\nsession_days = 0", ["postbell.toml:2: broker.session_days = 0: too small"]),
    ],
)
def test_show_of_what_is_wrong_tells_all_of_it(run, text, told):
    code, out, err = run("show", text)
    assert (code, out) == (2, "")
    for each in told:
        assert each in err

from __future__ import annotations

import re
from pathlib import Path, PurePath

import pytest

from bridge.errors import ConfigurationError
from bridge.setup import systemd

ROOT = Path(__file__).resolve().parents[4]
UNITS = {file.name: file.read_text() for file in (ROOT / "packaging" / "systemd").iterdir()}
PROGRAM = PurePath("/opt/postbell/.venv/bin/postbell")
SERVICES = sorted(name for name in UNITS if name.endswith(".service"))
SOCKETS = sorted(name for name in UNITS if name.endswith(".socket"))


def words(name, key):
    """What a unit says for a key, each time that it says it."""
    return re.findall(rf"^{key}=(.*)$", UNITS[name], flags=re.MULTILINE)


def test_the_units_are_written_for_the_program_that_is_there():
    made = systemd.recipe(UNITS, program=PROGRAM, parts=[PurePath("/usr/bin/python3")])
    text = str(made)
    assert text.count(f"ExecStart={PROGRAM} ") == len(SERVICES)
    assert systemd.PACKAGED not in text
    paths = [file.path for file in made.files]
    assert paths[0] == "/etc/sysusers.d/postbell.conf"
    assert sorted(paths[1:]) == [f"{systemd.ETC}/{name}" for name in sorted(SERVICES + SOCKETS)]
    assert text.endswith("systemctl daemon-reload\nsystemctl enable --now postbell.socket postbell.service\n")


@pytest.mark.parametrize(
    ("program", "part"),
    [("/home/ada/.local/bin/postbell", "/usr"), ("/usr/local/bin/postbell", "/root/.local/share/pipx/venvs/postbell")],
)
def test_what_the_unit_hides_is_told_with_what_to_do(program, part):
    with pytest.raises(ConfigurationError, match=r"hides from Postbell: install it .*PIPX_HOME=/opt/pipx"):
        systemd.recipe(UNITS, program=PurePath(program), parts=[PurePath(part)])


def test_every_service_is_confined_alike():
    confined = [UNITS[name].partition("\nNoNewPrivileges=")[2] for name in SERVICES]
    assert confined[0]
    assert set(confined) == {confined[0]}
    assert len(words(SERVICES[0], "SystemCallFilter")) > 1


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_tells_when_it_is_ready_and_comes_back_unless_it_is_misconfigured(name):
    assert words(name, "Type") == ["notify"]
    assert words(name, "Restart") == ["always"]
    assert words(name, "RestartPreventExitStatus") == ["2"]
    assert words(name, "StartLimitIntervalSec") == ["0"]
    assert words(name, "WatchdogSec") == ["60"]
    assert words(name, "User") == ["postbell"]


@pytest.mark.parametrize("name", SOCKETS)
def test_a_socket_and_its_service_know_one_another(name):
    service = name.replace(".socket", ".service")
    assert words(name, "StopPropagatedFrom") == [service]
    assert words(service, "Sockets") == words(service, "PartOf") == [name]
    assert words(name, "SocketGroup") == [], "a group that is missing would keep the socket from being opened"

"""`postbell broker` and `postbell bridge`, each a process of its own, as a machine for each would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.system import System
from tests.support.waiting import until

MAIL = b"From: Ada <ada@example.org>\r\nSubject: Plan\r\nMessage-ID: <1@example.org>\r\n\r\nAt nine.\r\n"


@pytest.mark.parametrize("with_file", [False, True])
def test_bridge_and_broker_run_apart(tmp_path, with_file):
    config = tmp_path / "postbell.toml"
    config.write_text('[log]\nlevel = "debug"\n')
    chosen = ("--config", str(config)) if with_file else ()
    with System(tmp_path) as system:
        system.add("alice")
        broker = system.start("broker", *chosen)
        until(lambda: system.facts("broker").get("mqtt"), what="the broker to listen")
        bridge = system.start("bridge", *chosen)
        system.wait_connected()
        system.send(MAIL, "alice@example.org")
        system.wait_drained()
        assert system.status()["broker"]["connected"] is True
        assert system.stop(bridge) == 0
        assert system.stop(broker) == 0


def test_the_installed_program_is_the_same_as_the_module():
    program = Path(sys.executable).with_name("postbell")
    by_name = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=True)
    by_module = subprocess.run(
        [sys.executable, "-m", "bridge", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert by_name.stdout == by_module.stdout

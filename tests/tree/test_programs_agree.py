"""What bridge, broker and clients each hold for themselves is the same in all three, and in the protocol."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.config import loading, settings
from bridge.config.section import declared
from bridge.contract import topics as of_bridge
from bridge.contract.publication import Kind
from bridge.daemon import runfile
from bridge.model import Flag
from bridge.publish.driven import DrivenClient
from broker import acl
from broker import loading as broker_loading
from broker import settings as broker_settings
from broker import topics as of_broker
from broker.keys import declared as keys_of_broker
from broker.runfile import RunFile
from clients.contract import topics as of_clients
from clients.contract.header import FLAG_NAMES
from clients.transport import ObservedClient
from tests.support import source


def protocol(pattern):
    """What the first cells of the protocol's tables say that match."""
    return re.findall(pattern, (source.ROOT / "docs" / "protocol.md").read_text("utf-8"), re.MULTILINE)


def test_all_know_the_same_views():
    retained = set(of_bridge.STATE_VIEWS)
    assert {kind.value for kind in Kind if kind.is_view} == retained
    assert retained == of_broker.STATE_VIEWS
    assert retained | set(of_bridge.OPTIONAL_VIEWS) == of_clients._VIEWS
    assert set(protocol(r"^\| `mail/<user>/(\w+)` \|")) == of_clients._VIEWS


def test_all_know_the_same_flags():
    flags = [(str(flag.value), flag.name.lower()) for flag in Flag]
    assert [name for _, name in flags] == list(FLAG_NAMES)
    assert protocol(r"^\| (\d+) \| `(\w+)` \|") == flags


def test_broker_and_bridge_know_the_same_status():
    assert of_bridge.status("main").startswith(f"{acl.STATUS_ROOT}/")
    assert protocol(r"^\| `([\w-]+)/<node>/status` \|") == [acl.STATUS_ROOT]


def test_broker_and_bridge_look_for_their_configuration_in_the_same_places():
    assert loading._PLACES == broker_loading._PLACES


def test_broker_and_bridge_have_the_same_defaults_for_what_both_read():
    ours, theirs = settings.Settings(), broker_settings.Settings()
    for section in ("broker", "mqtt", "log"):
        mine, other = getattr(ours, section), getattr(theirs, section)
        shared = declared(type(mine)).keys() & keys_of_broker(type(other)).keys()
        assert shared
        for key in shared:
            assert str(getattr(mine, key) or "") == str(getattr(other, key) or ""), f"{section}.{key}"
    assert ours.state_dir == theirs.state_dir


def test_the_bridge_reads_what_the_broker_says_of_itself(tmp_path):
    run_dir = tmp_path / "run"
    file = RunFile(run_dir / f"{runfile.BROKER}.json")
    assert not runfile.running(run_dir, runfile.BROKER)
    asyncio.run(file.claim())
    file.write({"mqtt": "127.0.0.1:1883"})
    assert runfile.running(run_dir, runfile.BROKER), "the lock is the same, too"
    assert runfile.read(run_dir, runfile.BROKER)["mqtt"] == "127.0.0.1:1883"


def test_broker_and_bridge_write_the_same_log_and_say_who_they_are():
    speak = "import structlog; log = structlog.get_logger(); log.info('a'); log.warning('b', key=1)"
    speak += "; import logging; logging.getLogger('library').error('c')"
    told = {}
    for process, module in {"bridge": "bridge.daemon", "broker": "broker"}.items():
        code = f"from {module} import logs; logs.configure(level='warning', style='json'); {speak}"
        done = subprocess.run([sys.executable, "-c", code], cwd=source.ROOT, capture_output=True, check=True)
        told[process] = [json.loads(line) for line in done.stderr.splitlines()]
        assert [line["process"] for line in told[process]] == [process] * 2
    ours, theirs = ([{**line, "timestamp": "", "process": ""} for line in lines] for lines in told.values())
    assert ours == theirs


@pytest.mark.parametrize("program", ["bridge", "broker"])
@pytest.mark.parametrize("before", ["", "import rich.pretty"])
def test_broker_and_bridge_spare_what_a_library_takes_along(program, before):
    """structlog takes rich along, and what is not installed for it can be imported by others."""
    code = f"""
import sys
{before}
from {program}.spared import spared
with spared("rich"):
    import structlog
print("rich.pretty" in sys.modules)
import rich.pretty
structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=source.ROOT, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == str(bool(before))


@pytest.mark.parametrize("program", [loading, broker_loading])
def test_broker_and_bridge_pass_by_a_place_where_they_may_not_look(program, monkeypatch, tmp_path):
    unlookable = "x" * 300  # to ask the system about such a name is an error, even for root
    beside = tmp_path / "postbell.toml"
    beside.write_text('[mqtt]\nroot = "there"')
    monkeypatch.setattr(program, "_PLACES", (program.Path(unlookable), beside))
    assert program.load(environ={}).mqtt.root == "there"
    with pytest.raises(program.ConfigurationError, match="--config"):
        program.load(tmp_path / unlookable, environ={})


@pytest.mark.parametrize("program", [loading, broker_loading])
def test_broker_and_bridge_find_a_users_own_file_before_the_systems(program, monkeypatch, tmp_path):
    places = {
        name: tmp_path / name / "postbell.toml" for name in ("here", "xdg/postbell", "home/.config/postbell", "etc")
    }
    for name, file in places.items():
        file.parent.mkdir(parents=True)
        file.write_text(f'[mqtt]\nroot = "{name.partition("/")[0]}"')
    monkeypatch.setattr(program, "_PLACES", (places["here"], places["etc"]))
    home = {"HOME": str(tmp_path / "home")}
    xdg = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert program.load(environ=home | xdg).mqtt.root == "here"
    places["here"].unlink()
    assert program.load(environ=home | xdg).mqtt.root == "xdg"
    assert program.load(environ=home).mqtt.root == "home"
    assert program.load(environ={}).mqtt.root == "etc"
    assert program.load(environ={"HOME": "/" + "x" * 300}).mqtt.root == "etc", "a home where nobody may look"


def delays_small_packets(client):
    """Whether a client that dials somebody on this machine has its system keep small packets back (RFC 896)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client._host, client._port = server.getsockname()[:2]
        with client._create_socket_connection() as connection:
            return not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_neither_bridge_nor_client_has_small_packets_wait_for_one_another():
    for made in (DrivenClient, ObservedClient):
        assert not delays_small_packets(made(CallbackAPIVersion.VERSION2)), made
    assert delays_small_packets(paho.Client(CallbackAPIVersion.VERSION2)), "as paho does it"

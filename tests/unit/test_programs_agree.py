"""What bridge, broker and clients each hold for themselves is the same in all three, and in the protocol."""

from __future__ import annotations

import re

import pytest

from bridge.config import loading
from bridge.contract import topics as of_bridge
from bridge.contract.publication import Kind
from bridge.model import Flag
from broker import acl
from broker import settings as broker_settings
from broker import topics as of_broker
from clients.contract import topics as of_clients
from clients.contract.header import FLAG_NAMES
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


@pytest.mark.parametrize("configured", ["", 'node = "two"', '[mqtt]\nusername = "postbell"'])
def test_broker_and_bridge_know_the_same_login_of_a_bridge(tmp_path, configured):
    file = tmp_path / "postbell.toml"
    file.write_text(configured)
    assert broker_settings.load(file, environ={}).bridge_login == loading.load(file, environ={}).broker_login

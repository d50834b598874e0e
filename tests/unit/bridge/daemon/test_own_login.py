"""The bridge's own password at a broker whose logins are kept: made, taken up, renewed."""

from __future__ import annotations

import asyncio

import pytest

from bridge.config.own_secret import OwnSecret
from bridge.daemon.own_login import OwnLogin, renew
from bridge.errors import ConfigurationError, StoreUnavailableError


class Store:
    def __init__(self):
        self.admitted = []

    async def admit(self, password):
        self.admitted.append(password)


@pytest.fixture
def store():
    return Store()


def taken_up(own):
    return asyncio.run(own.take_up())


@pytest.mark.parametrize("before", [None, "\n"])
def test_one_is_made_where_there_is_none(tmp_path, store, before):
    path = tmp_path / "state" / "mqtt.password"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    own = OwnLogin(OwnSecret(path), admit=store.admit)
    assert taken_up(own)
    assert store.admitted == [path.read_text().strip()]
    assert len(store.admitted[0]) >= 22
    assert path.stat().st_mode & 0o777 == 0o600
    assert not taken_up(own)


def test_another_one_is_taken_up(tmp_path, store):
    path = tmp_path / "mqtt.password"
    path.write_text("first\n")
    own = OwnLogin(OwnSecret(path), admit=store.admit)
    taken_up(own)
    path.write_text("second")
    assert taken_up(own)
    made = renew(path)
    assert taken_up(own)
    assert store.admitted == ["first", "second", made]


def test_what_the_store_did_not_take_is_offered_again(tmp_path, store):
    path = tmp_path / "mqtt.password"
    path.write_text("first\n")

    async def full(_password):
        raise StoreUnavailableError("full")

    own = OwnLogin(OwnSecret(path), admit=full)
    with pytest.raises(StoreUnavailableError):
        taken_up(own)
    own._admit = store.admit
    assert taken_up(own)


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path, store):
    with pytest.raises(ConfigurationError, match="it has the bridge's own password"):
        taken_up(OwnLogin(OwnSecret(tmp_path), admit=store.admit))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="leave the key out"):
        renew(tmp_path / "file" / "mqtt.password")


def test_the_line_of_a_node_is_used_and_never_made(tmp_path, store):
    path = tmp_path / "nodes"
    path.write_text("a:of a\nb:\n")
    assert taken_up(OwnLogin(OwnSecret(path, "a"), admit=store.admit))
    assert store.admitted == ["of a"]
    for node, file in (("b", path), ("a", tmp_path / "none")):
        with pytest.raises(ConfigurationError, match="nodes_file"):
            taken_up(OwnLogin(OwnSecret(file, node), admit=store.admit))
    assert path.read_text() == "a:of a\nb:\n"

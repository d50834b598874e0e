"""`postbell cell`, and what other commands say of cells, without a bridge that runs."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conftest import need

WHERE = ("--logins-for", "mosquitto", "--logins-dir", "east")


@pytest.fixture
def two(typed):
    """A cell beside the first, and alice at it."""
    assert typed("cell", "add", "east", "mqtt://127.0.0.1:1", *WHERE, "--logins-hook", "kill -HUP 1")[0] == 0
    assert typed("cell", "drain", "main")[1] == "nobody new goes to main\n"
    assert typed("user", "add", "alice", "--address", "alice@example.org")[0] == 0
    return typed


def test_without_cells_there_is_the_first_and_nothing_is_said_of_them(typed):
    typed("user", "add", "alice", "--address", "alice@example.org")
    assert [each["cell"] for each in json.loads(typed("cell", "list", "--json")[1])] == ["main"]
    code, text, _ = typed("status")
    assert (code, "cell" in text) == (1, False)
    assert json.loads(typed("status", "--json")[1])["cells"] == []
    assert typed("setup", "haproxy", "--listen", "127.0.0.1:1884")[0] == 0


def test_cells_are_listed_with_their_users(two):
    assert two("cell", "drain", "main", "--undo")[1] == "new users go to main again\n"
    two("cell", "drain", "main")
    found = json.loads(two("cell", "list", "--json")[1])
    assert [(each["cell"], each["users"], each["draining"], each["connected"]) for each in found] == [
        ("main", 0, True, None),
        ("east", 1, False, None),
    ]
    _, text, _ = two("cell", "list")
    assert "mqtt://127.0.0.1:1" in text
    assert "draining" in text
    _, text, _ = two("status")
    assert "cell east         cannot be known, mqtt://127.0.0.1:1, 1 users\n" in text


def test_who_moves_while_nothing_runs_does_so_when_it_does(two):
    code, text, _ = two("cell", "move", "alice", "main")
    assert (code, text) == (0, "alice is at main; what is left at east goes as soon as the bridge reaches both\n")
    assert "1 leave it" in two("status")[1]
    assert two("cell", "remove", "east")[1] == "removed cell east\n"


def test_a_cell_is_emptied(two):
    two("user", "add", "bob", "--address", "bob@example.org")
    code, _, error = two("cell", "drain", "east", "--move")
    assert (code, "all cells are draining" in error) == (1, True)
    two("cell", "drain", "main", "--undo")
    assert two("cell", "drain", "east", "--move")[1] == "nobody new goes to east\n2 users have moved\n"
    assert [each["users"] for each in json.loads(two("cell", "list", "--json")[1])] == [2, 0]


def test_a_device_is_told_where_its_cell_is(two):
    code, text, error = two("device", "add", "alice", "phone", "--json")
    assert (code, json.loads(text)["mqtt_url"]) == (0, "mqtt://127.0.0.1:1")
    assert "alice.phone is let in at cell east as soon as the bridge runs" in error
    assert two("device", "revoke", "alice", "phone")[0] == 0


def test_a_broker_whose_logins_are_kept_by_others_is_told_by_them(two, tmp_path):
    (tmp_path / "password").write_text("secret\n")
    two("cell", "add", "west", "mqtt://127.0.0.1:2", "--password-file", str(tmp_path / "password"))
    two("cell", "move", "alice", "west")
    _, _, error = two("device", "add", "alice", "phone")
    assert "The broker of cell west is not Postbell's own: let alice.phone in there" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("east", "mqtt://127.0.0.1:1"), "name --password-file"),
        (("east", "mqtt://127.0.0.1:1", "--logins-for", "mosquitto"), "--logins-for needs --logins-dir"),
        (("east", "http://127.0.0.1:1", *WHERE), "http://127.0.0.1:1"),
        (("east", "mqtt://127.0.0.1:1", "--logins-for", "sendmail"), "sendmail"),
        (("East!", "mqtt://127.0.0.1:1", *WHERE), "cannot be a cell"),
    ],
)
def test_what_is_no_cell_is_said(typed, arguments, words):
    code, _, error = typed("cell", "add", *arguments)
    assert code
    assert words in error


def test_haproxy_takes_what_is_printed(two, tmp_path):
    two("cell", "add", "far", "mqtts://[::1]:8883", *WHERE)
    code, text, _ = two("setup", "haproxy", "--listen", "127.0.0.1:1884")
    assert code == 0
    assert "cells.map,main)]" in text
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run(
        [need("haproxy"), "-c", "-f", str(tmp_path / "haproxy.cfg")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tls = two("setup", "haproxy", "--tls-cert", "/etc/postbell/both.pem")[1]
    assert "    bind :8883 ssl crt /etc/postbell/both.pem\n" in tls
    backend = "backend cell_main\n    server broker {}\n"
    assert backend.format("127.0.0.1:1883") in text
    elsewhere = two("setup", "haproxy", "--listen", "127.0.0.1:1884", "--main", "postbell:1883")[1]
    assert backend.format("postbell:1883") in elsewhere
    assert elsewhere.replace("postbell:1883", "127.0.0.1:1883") == text
    two("cell", "add", "web", "wss://127.0.0.1:443/mqtt", *WHERE)
    code, _, error = two("setup", "haproxy", "--listen", "127.0.0.1:1884")
    assert (code, "HAProxy reads no user out of WebSockets" in error) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"), [((), "HAProxy listens nowhere"), (("--listen", "nowhere"), "not an address")]
)
def test_where_haproxy_listens_has_to_be_said(two, arguments, words):
    code, _, error = two("setup", "haproxy", *arguments)
    assert code == 2
    assert words in error


def test_the_mosquitto_of_a_cell_is_told_how_to_be_one(two, tmp_path):
    code, text, _ = two("setup", "mosquitto", "--cell", "east")
    assert code == 0
    assert f"password_file {tmp_path}/east/passwords\n" in text
    assert "listener 1 127.0.0.1\nuse_username_as_clientid true\n" in text
    (tmp_path / "password").write_text("secret\n")
    two("cell", "add", "west", "mqtt://127.0.0.1:2", "--password-file", str(tmp_path / "password"))
    for program, cell, words in (
        ("nats", "east", "--cell goes with mosquitto"),
        ("mosquitto", "west", "was not added with --logins-for mosquitto"),
        ("mosquitto", "north", "there is no cell 'north'"),
    ):
        code, _, error = two("setup", program, "--cell", cell)
        assert code
        assert words in error

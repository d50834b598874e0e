"""What people write of the broker's keys: read into values, or refused with what it is not and what to write."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from broker import checking, describing, keys, settings
from broker.address import Address
from broker.errors import ConfigurationError


def said(section, key, value):
    """The value of a key, as it was read."""
    return getattr(getattr(checking.settings({section: {key: value}}), section), key)


@pytest.mark.parametrize(
    ("section", "key", "value", "read"),
    [
        *(("broker", "insecure", value, True) for value in (True, "true", "YES", "on", "1", 1)),
        *(("broker", "insecure", value, False) for value in (False, "no", "0", 0)),
        *(("broker", "keep_alive", value, 60) for value in (60, "60", " 60 ", 60.0, "60.0", "+60")),
        *(("broker", "session_days", value, 0.5) for value in (0.5, "0.5")),
        *(("limits", "packet", value, 2048) for value in (2048, "2048", "2k", "2 K", "2KiB", "2kB")),
        *(("broker", "listen", value, None) for value in (None, "")),
        ("broker", "listen", "127.0.0.1:5", Address("127.0.0.1", 5)),
        ("broker", "listen", Address("127.0.0.1", 5), Address("127.0.0.1", 5)),
        ("broker", "proxies", "10.0.0.1/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        ("broker", "proxies", '["192.0.2.1"]', (ip_network("192.0.2.1/32"),)),
        ("broker", "proxies", [ip_network("10.0.0.0/8")], (ip_network("10.0.0.0/8"),)),
        ("broker", "proxies", "", ()),
        (
            "broker",
            "origins",
            "https://a.example, https://b.example:8443",
            ("https://a.example", "https://b.example:8443"),
        ),
        ("mqtt", "root", "home/mail", "home/mail"),
        ("log", "level", "debug", "debug"),
    ],
)
def test_one_value_may_be_written_in_several_ways(section, key, value, read):
    assert said(section, key, value) == read


@pytest.mark.parametrize(
    ("section", "key", "value", "problem", "cure"),
    [
        *(("broker", "insecure", value, "neither true nor false", "without quotes") for value in ("maybe", 2, [], 1.0)),
        *(("broker", "keep_alive", value, "not a whole number", "as 100") for value in ("x", 1.5, True, [], "1e3", "")),
        *(("broker", "session_days", value, "not a number", "as 7 or 0.5") for value in ("x", True, [], "nan", "inf")),
        ("broker", "session_days", "9" * 400, "not a number", "as 7 or 0.5"),
        ("broker", "session_days", 0, "too small", "write more than 0"),
        ("broker", "session_days", 4000, "too large", "write 3650 or less"),
        ("limits", "packet", 5, "too small", "write 1024 or more"),
        *(("limits", "packet", value, "not a whole number", "as 100") for value in ("5 apples", [], "k")),
        *(("broker", "tls_cert", value, "not a path", "in quotes") for value in (5, [])),
        ("broker", "tls_cert", "~/cert.pem", "the ~ of a shell means nothing here", "the whole path"),
        *(("broker", "listen", value, "not an address", '"" for off') for value in (1883, "1883", [])),
        *(("broker", "proxies", value, "not a list", '["this", "that"]') for value in (5, "[10.0.0.0/8", '["a"')),
        *(("broker", "proxies", value, "not a network", "or an address") for value in ("x", [5])),
        *(("broker", "origins", value, "not an origin", "without a path") for value in (["https://a/"], [5], "A")),
        ("broker", "origins", "https://a.example:443", "not an origin as browsers write it", "leave out the port"),
        *(("mqtt", "root", value, "not as it should be", "without wildcards") for value in ("", "a//b", "+", "A")),
        ("mqtt", "root", 5, "not a text", "in quotes"),
        ("log", "level", "loud", "not as it should be", "write 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(section, key, value, problem, cure):
    [told] = checking.check({section: {key: value}})
    assert (told["key"], told["value"]) == (f"{section}.{key}", value)
    assert told["problem"] == problem
    assert cure in told["cure"]
    with pytest.raises(ConfigurationError, match=f"{section}.{key} = "):
        checking.settings({section: {key: value}})


def test_all_is_told_at_once_with_what_does_not_go_together():
    told = checking.check({"state_dir": "", "broker": {"tls_cert": "/x", "keep_alive": "x"}, "limits": 5, "smtp": 7})
    assert [each["key"] for each in told] == ["state_dir", "broker.keep_alive", "limits", "broker.tls_cert"]


def test_each_key_is_described_as_it_is_read():
    described = {each["name"]: each for each in describing.describe()}
    for name, section in (("", settings.Settings), ("broker.", settings.Broker), ("limits.", settings.BrokerLimits)):
        for key, known in keys.declared(section).items():
            assert described[f"{name}{key}"]["kind"] == known.kind
            known.read(described[f"{name}{key}"]["default"])


def nowhere():
    raise RuntimeError("no home")


def test_who_has_no_home_is_told_so(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 65_533)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(ConfigurationError, match="user 65533 has no home directory"):
        settings.default_state_dir()
    monkeypatch.setenv("XDG_STATE_HOME", "/srv")
    assert settings.default_state_dir() == Path("/srv/postbell")

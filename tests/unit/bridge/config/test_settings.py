"""The configuration: found, merged, checked; and when it is wrong, said with place, key, value, and what to do."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from bridge.config import brokers_keys, loading
from bridge.config.endpoints import LOOPBACK, MqttUrl, TcpAddress, UnixAddress, WebUrl, parse_network
from bridge.config.permissions import FileMode, FileOwner
from bridge.config.section import declared
from bridge.config.settings import Settings
from bridge.errors import ConfigurationError
from broker import settings as broker_settings
from broker.keys import declared as keys_of_broker
from tests.support.configured import configured


def everything():
    """All keys of the bridge, as `section.key` or `key`."""
    for name, setting in declared(Settings).items():
        yield from (f"{name}.{key}" for key in declared(setting.part)) if setting.part else (name,)


@pytest.fixture(autouse=True)
def _nowhere_near_real_settings(monkeypatch, tmp_path):
    for name in [name for name in __import__("os").environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "_PLACES", (tmp_path / "postbell.toml", tmp_path / "etc" / "postbell.toml"))


@pytest.fixture
def written(tmp_path):
    def write(text, name="postbell.toml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def environ(monkeypatch):
    """Sets variables and returns the environment as `load` gets it."""

    def set_all(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return variables

    return set_all


def test_without_a_file_there_are_defaults():
    settings = loading.load()
    assert str(settings.smtp.listen) == "127.0.0.1:2525"
    assert (settings.retain.count, settings.retain.days) == (100, 7)
    assert settings.mqtt.root == "mail"
    assert settings.broker.embedded


def test_a_file_is_found_in_its_places_in_order(written, environ):
    written('node = "etc"', "etc/postbell.toml")
    assert loading.load().node == "etc"
    written('node = "here"')
    assert loading.load().node == "here"
    named = written('node = "named"', "other.toml")
    assert loading.load(environ=environ(POSTBELL_CONFIG=str(named))).node == "named"
    explicit = written('node = "explicit"', "explicit.toml")
    assert loading.load(explicit, environ=environ(POSTBELL_CONFIG=str(named))).node == "explicit"


def test_the_environment_wins_key_by_key(written, environ):
    written('[retain]\ncount = 50\ndays = 3\n[mqtt]\nroot = "home/mail"\n')
    told = loading.load(environ=environ(POSTBELL_RETAIN__COUNT="7", POSTBELL_STATE_DIR="/srv/bell"))
    assert (told.retain.count, told.retain.days) == (7, 3)
    assert told.mqtt.root == "home/mail"
    assert str(told.database) == "/srv/bell/postbell.db"
    assert str(told.run_dir) == "/srv/bell/run"


@pytest.mark.parametrize(
    ("text", "size"), [("2000", 2000), ('"2000"', 2000), ('"64k"', 65_536), ('"50M"', 50 * 2**20), ('"2 GiB"', 2**31)]
)
def test_sizes_may_be_written_with_units(written, text, size):
    written(f"[smtp]\nmax_size = {text}\n")
    assert loading.load().smtp.max_size == size


def test_keys_of_the_broker_are_left_to_the_broker(written):
    written('[broker]\nsession_days = 3\ntls_listen = "0.0.0.0:8883"\n[limits]\ninflight = 9\n')
    assert loading.load().broker.embedded


@pytest.mark.parametrize(
    ("text", "key", "value", "remedy"),
    [
        ('[smtp]\nlisten = "localhost"', "smtp.listen", "'localhost'", 'write "localhost:port"'),
        ('[smtp]\nlisten = "127.0.0.1:99999"', "smtp.listen", "'127.0.0.1:99999'", "65535"),
        ('[lmtp]\nlisten = "unix:lmtp.sock"', "lmtp.listen", "'unix:lmtp.sock'", "unix:/path"),
        ('[lmtp]\nsocket_mode = "0999"', "lmtp.socket_mode", "'0999'", "octal digits"),
        ('[broker]\nlisten = "unix:/run/mqtt"', "broker.listen", "'unix:/run/mqtt'", "host:port"),
        ('[mqtt]\nurl = "tcp://host"', "mqtt.url", "'tcp://host'", "mqtt://host"),
        ('[mqtt]\nurl = "mqtt://host:99999"', "mqtt.url", "'mqtt://host:99999'", "mqtt://host"),
        ('[mqtt]\nurl = "mqtt://:1883"', "mqtt.url", "'mqtt://:1883'", "mqtt://host"),
        ('[mqtt]\nroot = "mail/#"', "mqtt.root", "'mail/#'", "without wildcards"),
        ("[mqtt]\nwindow = 0", "mqtt.window", "0", "too small; write 1 or more"),
        ("[retain]\ncount = 0", "retain.count", "0", "too small; write 1 or more"),
        ("[retain]\ndays = -1", "retain.days", "-1", "too small; write more than 0"),
        ("[smtp]\nmax_size = 50", "smtp.max_size", "50", "too small; write 1024 or more"),
        ('[smtp]\nmax_size = "lots"', "smtp.max_size", "'lots'", "k, M or G"),
        ('node = "Main Node"', "node", "'Main Node'", "a-z 0-9 _ -"),
        ('[log]\nlevel = "loud"', "log.level", "'loud'", "'debug', 'info', 'warning' or 'error'"),
        ('[http]\nlisten = "unix:/run/http"', "http.listen", "'unix:/run/http'", "host:port"),
        ('[http]\nnetworks = ["10.0.0.0/99"]', "http.networks.0", "'10.0.0.0/99'", "write a network"),
        ('[http]\npublic_url = "https://host/path"', "http.public_url", "'https://host/path'", "without a path"),
        ("[limits]\npayload = 10", "limits.payload", "10", "too small; write 192 or more"),
    ],
)
def test_a_bad_value_is_told_with_file_key_value_and_what_to_do(written, text, key, value, remedy):
    path = written(text)
    with pytest.raises(ConfigurationError) as told:
        loading.load()
    message = str(told.value)
    assert message.startswith(f"{path}:{text.count(chr(10)) + 1}: {key} = {value}: ")
    assert remedy in message


def test_the_configuration_knows_every_key_of_the_broker():
    for name, theirs in brokers_keys.BROKERS_KEYS.items():
        fields = keys_of_broker(type(getattr(broker_settings.Settings(), name))).keys()
        assert theirs == fields - declared(type(getattr(Settings(), name))).keys()


@pytest.mark.parametrize(
    ("text", "key"), [("[broker]\nlistn = 3", "broker.listn"), ("[limits]\nqueu = 3", "limits.queu")]
)
def test_a_key_of_a_shared_section_that_neither_side_knows_is_told(written, text, key):
    path = written(text)
    with pytest.raises(ConfigurationError, match=rf"^{path}:2: {key}: no such key"):
        loading.load()


def test_a_variable_for_a_key_that_nobody_knows_is_told_by_its_name():
    for name, key in (("POSTBELL_LIMITS__QUEU", "limits.queu"), ("POSTBELL_SMTP__LISTN", "smtp.listn")):
        with pytest.raises(ConfigurationError, match=f"^{name}: {key}: no such key"):
            loading.load(environ={name: "1"})
    with pytest.raises(
        ConfigurationError, match=r"^POSTBELL_STMP__LISTEN: no such variable; did you mean POSTBELL_SMTP"
    ):
        loading.load(environ={"POSTBELL_STMP__LISTEN": "1"})


@pytest.mark.parametrize("text", ["10.0.0.0/8, fd00::/8", '["10.0.0.0/8", "fd00::/8"]', "10.0.0.0/8,fd00::/8,"])
def test_a_variable_holds_a_list_with_commas_or_as_json(text):
    assert loading.load(environ={"POSTBELL_SMTP__NETWORKS": text}).smtp.networks == (
        parse_network("10.0.0.0/8"),
        parse_network("fd00::/8"),
    )
    assert loading.load(environ={"POSTBELL_SMTP__NETWORKS": ""}).smtp.networks == ()


@pytest.mark.parametrize("key", list(everything()))
def test_every_key_can_be_overridden_by_a_variable(key):
    section, _, name = key.rpartition(".")
    default = getattr(Settings(), section, None) or Settings()
    value = getattr(default, name)
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
    variable = "POSTBELL_" + key.upper().replace(".", "__")
    told = loading.load(environ={variable: text})
    assert getattr(getattr(told, section, None) or told, name) in {value, Path()}
    if not isinstance(value, (str, tuple, Path, FileOwner)) and value is not None:
        with pytest.raises(ConfigurationError, match=f"^{variable}: {key} = 'x-': "):
            loading.load(environ={variable: "x-"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[mqtt]\n[broker]\nembedded = false",
            ":3: mqtt.url = '': with broker.embedded = false there is no broker; write",
        ),
        ('[broker]\nlisten = ""', ":2: broker.listen = '': the bridge itself comes this way"),
        (
            '[mqtt]\nurl = "mqtt://me:secret@host"',
            r":2: mqtt.url = 'mqtt://\*\*\*@host': the login does not",
        ),
        ("[smtp]\nlisten = 25", ':2: smtp.listen = 25: not an address; write "127.0.0.1:25"'),
        ('[smtp]\nnetworks = ["10.0.0.0/99"]', r":2: smtp.networks.0 = '10.0.0.0/99': not a network; write a network"),
    ],
)
def test_what_cannot_work_is_told_with_the_cure(written, text, message):
    path = written(text)
    with pytest.raises(ConfigurationError, match=f"^{path}{message}") as told:
        loading.load()
    assert "secret" not in str(told.value)


def test_a_bad_variable_is_told_by_its_name(environ):
    with pytest.raises(ConfigurationError, match=r"^POSTBELL_RETAIN__COUNT: retain.count = 'many': "):
        loading.load(environ=environ(POSTBELL_RETAIN__COUNT="many"))


def test_a_section_given_as_one_variable_is_told_with_the_right_form(environ):
    with pytest.raises(ConfigurationError, match="POSTBELL_SMTP__KEY"):
        loading.load(environ=environ(POSTBELL_SMTP="127.0.0.1:25"))


def test_an_unknown_key_is_told(written):
    written('[smtp]\nlissten = "127.0.0.1:25"')
    with pytest.raises(ConfigurationError, match=r"smtp\.lissten: no such key"):
        loading.load()


def test_an_unknown_section_is_told_with_those_there_are(written):
    written("[stmp]\nport = 1")
    with pytest.raises(ConfigurationError, match=r":1: \[stmp\]: no such section; did you mean \[smtp\]\?$"):
        loading.load()


def test_several_mistakes_are_told_at_once(written):
    written("[retain]\ncount = 0\ndays = 0\n")
    with pytest.raises(ConfigurationError) as told:
        loading.load()
    assert len(str(told.value).splitlines()) == 2


def test_a_file_that_is_not_toml_is_told_with_the_line(written):
    path = written("[smtp\n")
    with pytest.raises(ConfigurationError, match=rf"^{path}:1: not TOML: a section that does not end"):
        loading.load()


def test_a_file_that_is_named_must_be_there(tmp_path, environ):
    with pytest.raises(ConfigurationError, match="no such file"):
        loading.load(tmp_path / "absent.toml")
    with pytest.raises(ConfigurationError, match="no such file"):
        loading.load(environ=environ(POSTBELL_CONFIG=str(tmp_path / "absent.toml")))


def test_a_place_that_cannot_be_looked_into_is_told():
    with pytest.raises(ConfigurationError, match=r"^x+: File name too long; name another with --config"):
        loading.load(Path("x" * 300))


def test_settings_made_in_a_program_take_the_types_as_they_are():
    address, url = TcpAddress("::1", 25), MqttUrl("mqtts", "broker.example")
    networks, mode, owner = LOOPBACK, FileMode(0o600), FileOwner("me")
    made = configured(
        smtp={"listen": address, "networks": networks},
        lmtp={"socket_mode": mode, "socket_owner": owner},
        broker={"listen": address},
        mqtt={"url": url},
        http={"public_url": WebUrl("https", "bell.example")},
    )
    assert str(made.http.public_url) == "https://bell.example"
    assert (made.smtp.listen, made.broker.listen, made.smtp.networks, made.mqtt.url) == (address,) * 2 + (networks, url)
    assert (made.lmtp.socket_mode, made.lmtp.socket_owner) == (mode, owner)
    with pytest.raises(ValueError, match="not on a UNIX socket"):
        configured(broker={"listen": UnixAddress(Path("/run/mqtt"))})


@pytest.mark.parametrize(
    ("user", "variables", "directory"),
    [
        (0, {}, "/var/lib/postbell"),
        (1000, {"HOME": "/home/me"}, "/home/me/.local/state/postbell"),
        (1000, {"HOME": "/home/me", "XDG_STATE_HOME": "/srv/me"}, "/srv/me/postbell"),
    ],
)
def test_state_lies_where_the_system_wants_it(monkeypatch, user, variables, directory):
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: user)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(loading.load(environ={}).state_dir) == directory


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError, match="node"):
        loading.load().node = "other"  # type: ignore[misc]

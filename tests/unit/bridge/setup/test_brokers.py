"""Recipes for brokers: login files, configurations that keep mail safe, and the units that have them read."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.errors import ConfigurationError
from bridge.kept import MqttLogin
from bridge.setup import broker, mosquitto, nats
from bridge.setup.broker import BrokerSite

PHONE, TAB = (MqttLogin(f"alice.{device}", "device", f"$7${device}", f"$2a${device}") for device in ("phone", "tab"))
BRIDGE, BOSS = MqttLogin("bridge", "bridge", "$7$b", "$2a$b"), MqttLogin("boss", "admin", "$7$x", "$2a$x")
LEFT, OLD = MqttLogin("bob.tab", "leaving", "$7$l", "$2a$l"), MqttLogin("old.phone", "device", "", "")
ROOT = Path(__file__).resolve().parents[4]
ALL = (PHONE, TAB, BRIDGE, BOSS, LEFT, OLD)
FORMS = {"mosquitto": mosquitto, "nats": nats}
PLAIN = broker.listeners(MqttUrl.parse("mqtt://127.0.0.1"), tls=None, websocket=None, certificate="", key="")


def of(form, logins=ALL, root="mail"):
    return {file.path: file.text for file in form.login_files(logins, root=root)}


def site(listeners=PLAIN):
    return BrokerSite(listeners, "/var/lib/postbell-x", "postbell", ("/usr/bin/postbell", "setup", "x", "--logins"))


def with_tls(url, **listen):
    wanted = {"tls": None, "websocket": None, **listen}
    return broker.listeners(MqttUrl.parse(url), certificate="/tls/chain.pem", key="/tls/key.pem", **wanted)


def test_mosquitto_s_rules():
    assert of(mosquitto)["acl"].splitlines() == [
        *(
            "user alice.phone",
            "topic read mail/alice/+",
            "topic read mail/alice/msg/+",
            "topic read mail/alice/do/phone",
        ),
        *("topic read mail/alice/re/phone", "topic read mail-bridge/+/status", "topic write mail/alice/do/phone", ""),
        *("user alice.tab", "topic read mail/alice/+", "topic read mail/alice/msg/+", "topic read mail/alice/do/tab"),
        *("topic read mail/alice/re/tab", "topic read mail-bridge/+/status", "topic write mail/alice/do/tab", ""),
        *("user bridge", "topic readwrite mail/#", "topic readwrite mail-bridge/#", "topic read $SYS/#", ""),
        *("user boss", "topic read mail/#", "topic read mail-bridge/#", "topic read $SYS/#"),
    ]


def test_rules_for_home_assistant_where_that_is_on():
    [_, acl] = mosquitto.login_files(ALL, root="home/mail", home="ha")
    assert "topic read ha/device/home_mail_alice/config" in acl.text
    assert "topic write ha/status" in acl.text
    assert "topic readwrite ha/device/+/config\ntopic read ha/status" in acl.text
    [conf] = nats.login_files(ALL, root="home/mail", home="ha")
    rights = {each["user"]: each["permissions"] for each in json.loads(conf.text)["authorization"]["users"]}
    assert "ha.device.home_mail_alice.config" in rights["alice.phone"]["subscribe"]["allow"]
    assert "ha.status" in rights["alice.phone"]["publish"]["allow"]
    assert {"ha.device.*.config", "ha.status"} < set(rights["bridge"]["subscribe"]["allow"])
    assert "ha.device.*.config" in rights["bridge"]["publish"]["allow"]
    assert (
        rights["boss"]
        == {
            each["user"]: each
            for each in json.loads(of(nats, root="home/mail")["logins.conf"])["authorization"]["users"]
        }["boss"]["permissions"]
    )


def test_mosquitto_s_passwords():
    assert of(mosquitto)["passwords"].splitlines() == [
        *("alice.phone:$7$phone", "alice.tab:$7$tab", "bridge:$7$b", "boss:$7$x", "bob.tab:$7$l")
    ]


def test_nats_users():
    users = {
        user["user"]: user for user in json.loads(of(nats, root="home/mail")["logins.conf"])["authorization"]["users"]
    }
    assert users.keys() == {"alice.phone", "alice.tab", "bridge", "boss", "bob.tab"}
    assert users["alice.phone"] == {
        "user": "alice.phone",
        "password": "$2a$phone",
        "permissions": {
            "publish": {"allow": ["home.mail.alice.do.phone"]},
            "subscribe": {
                "allow": ["home.mail.alice", "home.mail.alice.>", "mail-bridge.*.status", "$MQTT.sub.>"],
                "deny": ["home.mail.alice.do.tab", "home.mail.alice.re.tab"],
            },
        },
        "allowed_connection_types": ["MQTT", "MQTT_WS"],
    }
    assert users["bridge"]["permissions"]["publish"] == {"allow": ["home.mail.>", "mail-bridge.>"]}
    assert users["boss"]["permissions"]["publish"] == users["bob.tab"]["permissions"]["subscribe"] == {"deny": [">"]}


def test_a_device_without_siblings_is_denied_nothing():
    [user] = json.loads(of(nats, [PHONE])["logins.conf"])["authorization"]["users"]
    assert "deny" not in user["permissions"]["subscribe"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_login_files_tell_who_stands_in_them(form):
    assert form.named(of(form)) == {"alice.phone", "alice.tab", "bridge", "boss", "bob.tab"}
    assert form.named({}) == form.named(of(form, [])) == form.named(dict.fromkeys(of(form), "what is this")) == set()


def test_mosquitto_keeps_mail_safe():
    text = mosquitto.fragment(PLAIN, login_files="/p")
    assert text.endswith("\n\nlistener 1883 127.0.0.1\nuse_username_as_clientid true\n")
    for line in (
        *("allow_anonymous false", "password_file /p/passwords", "acl_file /p/acl"),
        *("persistence true", "autosave_on_changes false", "autosave_interval 1", "max_queued_messages 10000"),
    ):
        assert f"\n{line}\n" in text


def test_mosquitto_listens_with_tls_and_for_web_sockets():
    session, encrypted = "use_username_as_clientid true\n", "certfile /tls/chain.pem\nkeyfile /tls/key.pem\n"
    plain, tls = f"\nlistener 1883 127.0.0.1\n{session}", f"{session}{encrypted}"
    everywhere = f"\nlistener 8884 ::\n{session}protocol websockets\n{encrypted}"
    for listeners, text in (
        (
            with_tls("mqtt://127.0.0.1:1883", websocket=TcpAddress("::", 8884)),
            f"{plain}\nlistener 8883\n{tls}{everywhere}",
        ),
        (with_tls("mqtts://mail.example.org:8885"), f"\nlistener 8885\n{tls}"),
        (
            with_tls("mqtt://127.0.0.1", tls=TcpAddress("192.0.2.7", 8883)),
            f"{plain}\nlistener 8883 192.0.2.7\n{tls}",
        ),
    ):
        assert mosquitto.fragment(listeners, login_files="/p").endswith(f"expiration 30d\n{text}")


def test_nats_keeps_mail_safe():
    text = nats.fragment(PLAIN, login_files="../p")
    assert 'jetstream { store_dir: "/var/lib/nats", sync_interval: always }\n' in text
    assert 'mqtt { listen: "127.0.0.1:1883" }\n' in text
    assert text.endswith('include "../p/logins.conf"\n')


def test_nats_has_one_listener():
    with pytest.raises(ConfigurationError, match="mqtts://HOST:8883"):
        nats.fragment(with_tls("mqtt://127.0.0.1"), login_files="p")
    files = 'tls { cert_file: "/tls/chain.pem", key_file: "/tls/key.pem" } }\n'
    text = nats.fragment(with_tls("mqtts://x.example:8885", websocket=TcpAddress("::1", 8884)), login_files="p")
    assert f'mqtt {{ listen: "0.0.0.0:8885", {files}websocket {{ listen: "[::1]:8884", {files}' in text


@pytest.mark.parametrize(
    ("url", "given", "said"),
    [
        ("mqtt://127.0.0.1", {"certificate": "/c"}, "give both --tls-cert and --tls-key"),
        ("mqtts://x.example", {}, "needs TLS: give --tls-cert"),
        ("mqtt://127.0.0.1", {"websocket": TcpAddress("::", 1)}, "needs TLS: give --tls-cert"),
        ("ws://127.0.0.1", {}, "that of a WebSocket"),
        ("mqtt://a'b", {}, "mqtt.url = "),
    ],
)
def test_listeners_that_cannot_be_are_told(url, given, said):
    with pytest.raises(ConfigurationError, match=said):
        broker.listeners(MqttUrl.parse(url), **{"tls": None, "websocket": None, "certificate": "", "key": "", **given})


@pytest.mark.parametrize("name", FORMS)
def test_the_script_can_be_read_by_a_shell_and_does_all_of_it(name):
    listeners = with_tls("mqtts://x.example") if name == "nats" else with_tls("mqtt://127.0.0.1")
    script = str(FORMS[name].recipe(site(listeners)))
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    for part in (
        f"install -d -o postbell -g {FORMS[name].ACCOUNT} -m 2750 /var/lib/postbell-x",
        "/usr/bin/postbell setup x --logins",
        "PathExists=/var/lib/postbell-x/reload",
        "ExecStart=/bin/rm -f /var/lib/postbell-x/reload",
        f"ExecStart=/bin/systemctl kill --signal=HUP {FORMS[name].SERVICE}",
        "ReadWritePaths=/var/lib/postbell-x",
        f"systemctl enable --now postbell-{name}.path",
    ):
        assert part in script
    assert script.index("ReadWritePaths") < script.index("install -d -o postbell") < script.index("--logins")


@pytest.mark.parametrize("name", FORMS)
def test_the_package_takes_away_the_units_that_it_left(name):
    postrm = (ROOT / "packaging" / "deb" / "postrm").read_text(encoding="utf-8")
    marked = re.search(r"grep -qsE '\^(.*?)' ", postrm)
    assert marked
    files = broker.told_by_systemd(name, FORMS[name].SERVICE, replace(site(), units="/etc/systemd/system"))
    assert len(files) == 3
    for file in files:
        assert f" {file.path}" in postrm
        assert re.match(marked[1], file.text)


def test_without_a_certificate_the_script_says_what_that_means():
    assert "No --tls-cert was given" in str(mosquitto.recipe(site()))
    assert "runuser" not in str(mosquitto.recipe(site()))


def test_nats_names_the_login_file_from_its_own_folder():
    files = {file.path: file.text for file in nats.recipe(site(), directory="/opt/nats/etc").files}
    assert 'include "../../../var/lib/postbell-x/logins.conf"' in files["/opt/nats/etc/postbell-nats.conf"]


def test_the_pages_say_what_is_written():
    for name, text in (
        ("mosquitto", mosquitto.fragment(PLAIN, login_files="/var/lib/postbell-mosquitto")),
        ("nats", nats.fragment(PLAIN, login_files="../var/lib/postbell-nats")),
    ):
        page = (ROOT / "docs" / "brokers" / f"{name}.md").read_text(encoding="utf-8")
        assert f"```\n{text.partition(chr(10))[2]}```\n" in page

"""NATS with JetStream as the broker: its login file, and a configuration that keeps mail safe. Pure.

A topic's `/` is a subject's `.`. Every MQTT client has to subscribe below `$MQTT.sub`, where NATS itself puts what is
for its subscriptions; over MQTT nobody can subscribe there to more, over NATS' own protocol anybody could, so that a
login is for MQTT alone.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from bridge.contract import discovery
from bridge.errors import ConfigurationError
from bridge.setup import broker
from bridge.setup.recipe import File, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.config.endpoints import TcpAddress
    from bridge.kept import MqttLogin
    from bridge.setup.broker import BrokerSite, Listeners

ETC, SERVICE, ACCOUNT = "/etc", "nats-server.service", "nats"
MAIN, FRAGMENT, LOGINS = "nats-server.conf", "postbell-nats.conf", "logins.conf"
STORE = "/var/lib/nats"
STATUS_ROOT, DELIVERIES = "mail-bridge", "$MQTT.sub.>"
NOTHING = {"deny": [">"]}


def login_files(logins: Iterable[MqttLogin], *, root: str, home: str = "") -> tuple[File, ...]:
    """The file that the configuration includes: users with their rights. NATS reads JSON as well as its own form.

    `home` is the prefix of Home Assistant's discovery; empty when it is off.
    """
    known = [login for login in logins if login.bcrypt]
    devices: dict[str, list[str]] = {}
    for login in known:
        if login.role == "device":
            devices.setdefault(login.user, []).append(login.device)
    users = [_user(login, root, home, devices) for login in known]
    return (File(LOGINS, json.dumps({"authorization": {"users": users}}, indent=1) + "\n"),)


def named(texts: Mapping[str, str]) -> frozenset[str]:
    """Whose logins stand in a login file; empty when there is none yet, or it is not ours."""
    try:
        return frozenset(user["user"] for user in json.loads(texts.get(LOGINS, ""))["authorization"]["users"])
    except (ValueError, KeyError, TypeError):
        return frozenset()


def fragment(listeners: Listeners, *, login_files: str, store: str = STORE) -> str:
    """The text of the file that NATS' own configuration includes; raises ConfigurationError.

    `login_files` is named from the folder of that file, as NATS takes every path of an include.
    """
    if listeners.plain is not None and listeners.tls is not None:
        raise ConfigurationError(
            "NATS has one listener for MQTT, with TLS or without: write mqtt.url = "
            f'"mqtts://HOST:{listeners.tls.port}", so that the bridge comes with TLS as well'
        )
    listen = listeners.tls or listeners.plain
    assert listen is not None, "the bridge comes by one of the two"
    told = [
        "# Written by postbell setup nats; docs/brokers/nats.md explains each line.",
        "server_name: postbell",
        f'jetstream {{ store_dir: "{store}", sync_interval: always }}',
        f"mqtt {{ {_listener(listen, listeners if listeners.tls else None)} }}",
        *([f"websocket {{ {_listener(listeners.websocket, listeners)} }}"] if listeners.websocket else []),
        f'include "{login_files}/{LOGINS}"',
    ]
    return "\n".join(told) + "\n"


def recipe(site: BrokerSite, *, directory: str = ETC) -> Recipe:
    """Files and commands for the NATS that is configured in `directory`; raises ConfigurationError."""
    conf, main = f"{directory}/{FRAGMENT}", f"{directory}/{MAIN}"
    relative = "../" * len([part for part in directory.split("/") if part]) + site.login_files.lstrip("/")
    line = shlex.quote(f'include "{FRAGMENT}"')
    return Recipe(
        server="NATS",
        summary="logins, rights, and a configuration that keeps mail safe",
        folders=(f"{site.units}/postbell.service.d",),
        files=(
            File(conf, fragment(site.listeners, login_files=relative)),
            *broker.told_by_systemd("nats", SERVICE, site),
        ),
        commands=(
            shlex.join(["install", "-d", "-o", ACCOUNT, "-g", ACCOUNT, "-m", "0750", STORE]),
            broker.folder(site, group=ACCOUNT),
            shlex.join(site.write_logins),
            f"grep -qxF {line} {shlex.quote(main)} || echo {line} >> {shlex.quote(main)}",
        ),
        reload=broker.with_systemd("nats", SERVICE),
        notes=(
            "NATS 2.10 or newer: Debian 12 has 2.9, which does not know sync_interval.",
            f"{main} must have no authorization, accounts, jetstream, mqtt or server_name of its own.",
            "Once is enough: from then on each device that comes, goes or gets a new password is told to NATS.",
        ),
    )


def _user(login: MqttLogin, topics: str, home: str, devices: Mapping[str, list[str]]) -> dict[str, Any]:
    root, births = topics.replace("/", "."), f"{home}/status".replace("/", ".")
    read: dict[str, list[str]]
    write: dict[str, list[str]]
    match login.role:
        case "device":
            tree = f"{root}.{login.user}"
            siblings = [device for device in devices[login.user] if device != login.device]
            others = [f"{tree}.{branch}.{device}" for branch in ("do", "re") for device in siblings]
            read = {"allow": [tree, f"{tree}.>", f"{STATUS_ROOT}.*.status", DELIVERIES]}
            read |= {"deny": others} if others else {}
            write = {"allow": [f"{tree}.do.{login.device}"]}
            if home:
                read["allow"].append(discovery.topic(home, topics, login.user).replace("/", "."))
                write["allow"].append(births)
        case "bridge":
            read = {"allow": [root, f"{root}.>", f"{STATUS_ROOT}.>", DELIVERIES]}
            write = {"allow": [f"{root}.>", f"{STATUS_ROOT}.>"]}
            if home:
                found = discovery.any_topic(home).replace("/", ".").replace("+", "*")
                read["allow"] += [found, births]
                write["allow"].append(found)
        case "admin":
            read = {"allow": [root, f"{root}.>", STATUS_ROOT, f"{STATUS_ROOT}.>", DELIVERIES]}
            write = NOTHING
        case _:
            read = write = NOTHING
    return {
        "user": login.username,
        "password": login.bcrypt,
        "permissions": {"publish": write, "subscribe": read},
        "allowed_connection_types": ["MQTT", "MQTT_WS"],
    }


def _listener(address: TcpAddress, encrypted: Listeners | None) -> str:
    host = address.host or "0.0.0.0"  # noqa: S104 - for devices everywhere, with TLS
    place = f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
    if encrypted is None:
        return f'listen: "{place}"'
    return f'listen: "{place}", tls {{ cert_file: "{encrypted.certificate}", key_file: "{encrypted.key}" }}'

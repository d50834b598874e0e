"""Mosquitto as the broker: its login files, and a configuration that keeps mail safe. Pure.

Mosquitto filters at delivery, so a device may subscribe to its whole tree; the topics of that tree
are listed one by one because a pattern cannot take `alice` out of the username `alice.phone`.
`use_username_as_clientid` is part of the rules: without it any user could end another's session by its client id.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bridge.contract import discovery
from bridge.setup import broker
from bridge.setup.recipe import File, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.kept import MqttLogin
    from bridge.setup.broker import BrokerSite, Listeners

ETC, SERVICE, ACCOUNT = "/etc/mosquitto", "mosquitto.service", "mosquitto"
PASSWORDS, RULES = "passwords", "acl"
STATUS_ROOT = "mail-bridge"


def login_files(logins: Iterable[MqttLogin], *, root: str, home: str = "") -> tuple[File, ...]:
    """What `password_file` and `acl_file` have to say, by their names in the folder.

    `home` is the prefix of Home Assistant's discovery; empty when it is off.
    """
    known = [login for login in logins if login.pbkdf2]
    return (
        File(PASSWORDS, "".join(f"{login.username}:{login.pbkdf2}\n" for login in known)),
        File(RULES, "\n".join(line for login in known for line in _rules(login, root, home))),
    )


def named(texts: Mapping[str, str]) -> frozenset[str]:
    """Whose logins stand in login files; empty when there are none yet."""
    return frozenset(line.partition(":")[0] for line in texts.get(PASSWORDS, "").splitlines() if ":" in line)


def fragment(listeners: Listeners, *, login_files: str) -> str:
    """The text of the file in `conf.d`."""
    return f"""# Written by postbell setup mosquitto; docs/brokers/mosquitto.md explains each line.
allow_anonymous false
password_file {login_files}/{PASSWORDS}
acl_file {login_files}/{RULES}

persistence true
autosave_on_changes false
autosave_interval 1
max_queued_messages 10000
max_inflight_messages 64
persistent_client_expiration 30d
{_listeners(listeners)}"""


def recipe(site: BrokerSite, *, directory: str = ETC) -> Recipe:
    """Files and commands for the mosquitto that is configured in `directory`."""
    conf = f"{directory}/conf.d/postbell.conf"
    key = site.listeners.key
    return Recipe(
        server="mosquitto",
        summary="logins, rights, and a configuration that keeps mail safe",
        folders=(f"{directory}/conf.d", f"{site.units}/postbell.service.d"),
        files=(
            File(conf, fragment(site.listeners, login_files=site.login_files)),
            *broker.told_by_systemd("mosquitto", SERVICE, site),
        ),
        commands=(
            broker.folder(site, group=ACCOUNT),
            shlex.join(site.write_logins),
            *([_readable(key)] if key else []),
        ),
        reload=broker.with_systemd("mosquitto", SERVICE),
        notes=(
            f"{directory}/mosquitto.conf must have include_dir {directory}/conf.d, as Debian's has, and no other",
            "  password_file, acl_file or allow_anonymous. Listeners are only those below from then on.",
            "Once is enough: from then on each device that comes, goes or gets a new password is told to mosquitto.",
            *(["No --tls-cert was given, so mosquitto listens for the bridge alone."] if not key else []),
        ),
    )


def _rules(login: MqttLogin, root: str, home: str) -> list[str]:
    match login.role:
        case "device":
            tree = f"{root}/{login.user}"
            rights = [
                f"read {tree}/+",
                f"read {tree}/msg/+",
                f"read {tree}/do/{login.device}",
                f"read {tree}/re/{login.device}",
                f"read {STATUS_ROOT}/+/status",
                f"write {tree}/do/{login.device}",
                *([f"read {discovery.topic(home, root, login.user)}", f"write {home}/status"] if home else []),
            ]
        case "bridge":
            rights = [f"readwrite {root}/#", f"readwrite {STATUS_ROOT}/#", "read $SYS/#"]
            rights += [f"readwrite {discovery.any_topic(home)}", f"read {home}/status"] if home else []
        case "admin":
            rights = [f"read {root}/#", f"read {STATUS_ROOT}/#", "read $SYS/#"]
        case _:
            return []
    return [f"user {login.username}", *(f"topic {right}" for right in rights), ""]


def _listeners(listeners: Listeners) -> str:
    """The listeners, each with what is said of it behind it: said before the first it would hold for none of them."""
    encrypted = (f"certfile {listeners.certificate}", f"keyfile {listeners.key}")
    text = ""
    for address, how in (
        (listeners.plain, ()),
        (listeners.tls, encrypted),
        (listeners.websocket, ("protocol websockets", *encrypted)),
    ):
        if address is not None:
            place = f"{address.port} {address.host}".rstrip()
            text += "\n".join(["", f"listener {place}", "use_username_as_clientid true", *how, ""])
    return text


def _readable(key: str) -> str:
    """The command that says so, and ends the script, when mosquitto could not read its key: it would not start."""
    file, said = shlex.quote(key), shlex.quote(f"{key}: the user {ACCOUNT} must be able to read it")
    return f"runuser -u {ACCOUNT} -- test -r {file} || {{ echo {said} >&2; exit 1; }}"

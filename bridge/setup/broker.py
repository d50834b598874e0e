"""What recipes for brokers share: the site they are for, and how a broker is told that its logins changed. Pure.

Postbell writes the *login files* itself, into a folder that it may write and the broker may read, and asks for
them to be read by a file `reload` beside them. A path unit of systemd sees it, takes it away, and has the broker
read: only root may send it the signal. Taken away first, so that a change that comes meanwhile asks again.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config.endpoints import TcpAddress
from bridge.errors import ConfigurationError
from bridge.setup.recipe import File, reachable

if TYPE_CHECKING:
    from bridge.config.endpoints import MqttUrl

RELOAD = "reload"
"""The file by which Postbell asks for the login files to be read."""
UNITS = "/etc/systemd/system"
SYSTEMD = "/run/systemd/system"
"""There is this folder where systemd runs."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the broker is to listen: in the clear for the bridge, with TLS for devices. None where not."""

    plain: TcpAddress | None
    tls: TcpAddress | None
    websocket: TcpAddress | None
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class BrokerSite:
    """What a recipe for a broker has to know of Postbell.

    `login_files` is the folder, `account` who owns it, `write_logins` the command that fills it, `units` where
    systemd finds its units.
    """

    listeners: Listeners
    login_files: str
    account: str
    write_logins: tuple[str, ...]
    units: str = UNITS


ANYWHERE = ""
"""Stands for all addresses of this machine."""


def listeners(
    url: MqttUrl, *, tls: TcpAddress | None, websocket: TcpAddress | None, certificate: str, key: str
) -> Listeners:
    """The listeners that serve the bridge, which comes by `url`, and devices; raises ConfigurationError."""
    if bool(certificate) != bool(key):
        raise ConfigurationError("a certificate and its key go together: give both --tls-cert and --tls-key")
    if url.websocket:
        raise ConfigurationError("mqtt.url is that of a WebSocket: for this recipe write mqtt://HOST:PORT or mqtts://")
    if (url.encrypted or tls or websocket) and not certificate:
        raise ConfigurationError("a listener for other machines needs TLS: give --tls-cert and --tls-key")
    plain = None if url.encrypted else reachable("mqtt.url", url.address)
    at = TcpAddress(ANYWHERE, url.address.port if url.encrypted else 8883)
    return Listeners(plain, (tls or at) if certificate else None, websocket, certificate, key)


def told_by_systemd(name: str, service: str, site: BrokerSite) -> tuple[File, ...]:
    """The units that have a broker read its login files anew, and let Postbell's service write them.

    systemd itself sends the signal: the broker's own unit reloads it by /bin/kill, which a small Debian is without.
    """
    request = f"{site.login_files}/{RELOAD}"
    written = f"# Written by `postbell setup {name}`.\n"  # by which a package knows what to take away
    return (
        File(
            f"{site.units}/postbell-{name}.path",
            f"""{written}[Unit]
Description=Postbell's logins for {name} have changed

[Path]
PathExists={request}

[Install]
WantedBy=paths.target
""",
        ),
        File(
            f"{site.units}/postbell-{name}.service",
            f"""{written}[Unit]
Description=Have {name} read Postbell's logins
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/rm -f {request}
ExecStart=/bin/systemctl kill --signal=HUP {service}
""",
        ),
        File(
            f"{site.units}/postbell.service.d/{name}.conf",
            f"""{written}[Unit]
After={service}

[Service]
ReadWritePaths={site.login_files}
""",
        ),
    )


def folder(site: BrokerSite, *, group: str) -> str:
    """The command that makes the folder of the login files: Postbell writes, the broker reads, nobody else enters."""
    return shlex.join(["install", "-d", "-o", site.account, "-g", group, "-m", "2750", site.login_files])


def with_systemd(name: str, service: str) -> str:
    """The commands that start all of it where there is systemd, and say what is to be done where there is not.

    Postbell first: until now its own broker may have had the port.
    """
    units = f"systemctl daemon-reload && systemctl enable --now postbell-{name}.path"
    begin = f"systemctl try-restart postbell.service && systemctl restart {service}"
    return (
        f"if [ -d {SYSTEMD} ]; then {units} && {begin}; "
        f'else echo "No systemd here: start {name} and Postbell, and set mqtt.logins_hook (docs/brokers)."; fi'
    )

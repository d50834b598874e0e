"""HAProxy in front of the cells: it reads the user out of CONNECT and picks the broker. Pure.

The username of a device is USER.DEVICE in MQTT 3.1.1 (§3.1.3.4) and 5 (§3.1.3.5) alike, so no device needs to know of
cells. Who is in no map is at the first cell, and so is whoever sends no username: that broker says no.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError
from bridge.setup.recipe import plain

if TYPE_CHECKING:
    from bridge.config.endpoints import TcpAddress

ADMIN = "/run/haproxy/postbell.sock"
INSPECT_S = 5


@dataclass(frozen=True, slots=True)
class ProxiedCell:
    """A cell as HAProxy reaches it; `encrypted` says that it speaks TLS there."""

    name: str
    address: TcpAddress
    encrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySite:
    """What the configuration is for: the cells, the first of them first, and where HAProxy is to listen.

    `certificate` is a PEM file with chain and key; without one `tls` is not listened at. `uid` is the user that
    Postbell runs as, who tells HAProxy of changes over the socket `admin`; `user_map` is the file that Postbell writes.
    """

    cells: tuple[ProxiedCell, ...]
    listen: TcpAddress | None
    tls: TcpAddress | None
    certificate: str
    user_map: str
    admin: str
    uid: int
    ca_file: str = ""


def configuration(site: ProxySite) -> str:
    """The whole of haproxy.cfg; raises ConfigurationError for what cannot be written into it."""
    binds = []
    if site.listen is not None:
        binds.append(f"    bind {_address(site.listen)}")
    if site.tls is not None and site.certificate:
        binds.append(f"    bind {_address(site.tls)} ssl crt {plain('--tls-cert', site.certificate)}")
    if not binds:
        raise ConfigurationError("HAProxy listens nowhere: name --listen HOST:PORT, or --tls-cert FILE, or both")
    user_map, first = plain("cells.map", site.user_map), site.cells[0].name
    backends = "\n".join(_backend(each, site.ca_file) for each in site.cells)
    return f"""# Written by postbell setup haproxy (docs/scaling.md); again after: cell add, cell remove.
global
    # maxconn follows from how many files the service may open (LimitNOFILE): two for each device.
    stats socket {plain("cells.haproxy", site.admin)} uid {site.uid} mode 600 level admin

defaults
    mode tcp
    timeout connect 5s
    timeout client 1d
    timeout server 1d
    timeout client-fin 30s
    option clitcpka

frontend postbell
{chr(10).join(binds)}
    tcp-request inspect-delay {INSPECT_S}s
    tcp-request content reject unless {{ req.payload(0,0),mqtt_is_valid }}
    tcp-request content set-var(sess.user) req.payload(0,0),mqtt_field_value(connect,username),field(1,.)
    use_backend cell_%[var(sess.user),map({user_map},{first})]
    default_backend cell_{first}

{backends}"""


def _backend(place: ProxiedCell, ca_file: str) -> str:
    tls = ""
    if place.encrypted:
        verified = f"verify required ca-file {ca_file}" if ca_file else "verify required ca-file @system-ca"
        tls = f" ssl {verified} sni str({place.address.host}) verifyhost {place.address.host}"
    return f"backend cell_{place.name}\n    server broker {_address(place.address)}{tls}\n"


def _address(address: TcpAddress) -> str:
    if address.port == 0:
        raise ConfigurationError(f"{address}: start Postbell first, so that its port is known, or choose one")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"

"""Postfix: recipient_bcc_maps, a transport of our own, LMTP.

Each recipient of Postbell's users gets a blind copy at `local=domain@postbell.invalid`, which the
transport `postbell` takes to LMTP. Postfix adds such copies with NOTIFY=NEVER, so that no sender
ever hears of Postbell; while Postbell is down they wait in the queue.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from bridge.config.endpoints import UnixAddress
from bridge.directory import COPY_DOMAIN
from bridge.setup.recipe import File, Recipe, Site

if TYPE_CHECKING:
    from bridge.config.endpoints import Endpoint

ETC = "/etc/postfix"


def recipe(site: Site, *, directory: str = ETC, bcc_maps: str = "", transport_maps: str = "") -> Recipe:
    """Files and commands for the instance configured in `directory`.

    `bcc_maps` and `transport_maps` are what `postconf -h` says of recipient_bcc_maps and
    transport_maps now: ours are added behind them.
    """
    route = transport(site, directory=directory, transport_maps=transport_maps)
    copies = f"{directory}/postbell_bcc"
    setting = f"recipient_bcc_maps = {_added(bcc_maps, copies)}"
    return Recipe(
        server="Postfix",
        summary="a blind copy over LMTP, by a transport of its own",
        files=(File(copies, "".join(_copy(address) for address in site.copied)), *route.files),
        commands=(
            shlex.join(["postconf", "-c", directory, "-e", setting]),
            *route.commands,
        ),
        reload=route.reload,
        notes=("Run it again after users or addresses have changed.", *route.notes, *site.notes),
    )


def transport(site: Site, *, directory: str = ETC, transport_maps: str = "") -> Recipe:
    """Only the way to Postbell, for copies that something else makes."""
    table = f"{directory}/postbell_transport"
    service = (
        "postbell/unix = postbell unix - - n - - lmtp"
        " -o lmtp_header_checks= -o lmtp_tls_security_level=none -o lmtp_sasl_auth_enable=no"
    )
    return Recipe(
        server="Postfix",
        summary="a transport to Postbell over LMTP",
        files=(File(table, f"/@{_literal(COPY_DOMAIN)}$/ postbell:{_nexthop(site.require_lmtp())}\n"),),
        commands=(
            shlex.join(["postconf", "-c", directory, "-M", service]),
            shlex.join(["postconf", "-c", directory, "-e", f"transport_maps = {_added(transport_maps, table)}"]),
        ),
        reload=shlex.join(["postfix", "-c", directory, "reload"]),
        notes=('The socket must let the group postfix in: lmtp.socket_owner = ":postfix".',),
    )


def _copy(address: str) -> str:
    """The line that copies an address and its `+detail` forms; `${1}` is the local part."""
    local, _, domain = address.rpartition("@")
    pattern = rf"{_literal(local)}(\+[^@]*)?" if local else "[^@]+"
    return f"/^({pattern})@{_literal(domain)}$/ ${{1}}={domain}@{COPY_DOMAIN}\n"


def _literal(text: str) -> str:
    """Text as a POSIX extended regular expression between slashes."""
    return re.sub(r"([.\[\]{}()\\*+?|^$/])", r"\\\1", text)


def _nexthop(lmtp: Endpoint) -> str:
    return str(lmtp) if isinstance(lmtp, UnixAddress) else f"inet:{lmtp}"


def _added(before: str, path: str) -> str:
    ours = f"regexp:{path}"
    kept = [word for word in re.split(r"[\s,]+", before) if word and word != ours]
    return ", ".join([*kept, ours])

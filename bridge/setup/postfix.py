"""Postfix: recipient_bcc_maps, a transport of our own, LMTP.

Each recipient of Postbell's users gets a blind copy at `local=domain@postbell.invalid`, which the
transport `postbell` takes to LMTP. Postfix adds such copies with NOTIFY=NEVER, so that no sender
ever hears of Postbell; while Postbell is down they wait in the queue.

The table of addresses is Postbell's to write, so that a user who is added is copied at once. What stands in it
passes through a table of root's (`pipemap`), which lets nothing through but copies for Postbell: so it can ask for
copies, and send nobody's mail anywhere else. Postfix reads a regexp table when one of its processes starts; it
looks at indexed tables before each mail, and starts its processes anew when one has changed. So beside the table
lies an indexed one without meaning, which is made anew behind it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import UnixAddress
from bridge.directory import COPY_DOMAIN
from bridge.setup.recipe import AGAIN, BY_ITSELF, KEPT, File, Recipe, Site

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.config.endpoints import Endpoint

ETC = "/etc/postfix"
MAIN: Final = "main.cf"
MASTER: Final = "master.cf"
TRANSPORT: Final = "postbell"
"""What our transport is called in `master.cf`."""
INDEXED: Final = {"hash": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
"""Types of indexed tables by their names, the first that a Postfix has being used, with the suffix of their files."""
_CHANGED: Final = f"@changed.{COPY_DOMAIN} nobody@{COPY_DOMAIN}\n"
"""What is in the table without meaning: a key that no recipient has."""
_LET_IN = (
    "The socket must let the group postfix in: postbell.socket does where systemd opens it; elsewhere set "
    'lmtp.socket_owner = ":postfix".'
)


def recipe(
    site: Site,
    *,
    directory: str = ETC,
    bcc_maps: str = "",
    transport_maps: str = "",
    types: Collection[str] = (),
) -> Recipe:
    """Files and commands for the instance configured in `directory`.

    `bcc_maps` and `transport_maps` are what `postconf -h` says of recipient_bcc_maps and
    transport_maps now: ours are added behind them. `types` are the types of tables that this Postfix has.
    """
    route = transport(site, directory=directory, transport_maps=transport_maps)
    indexed = next((each for each in INDEXED if each in types), None)
    if not site.kept or indexed is None or "pipemap" not in types:
        return _static(site, route, directory=directory, bcc_maps=bcc_maps)
    folder, only = f"{directory}/{KEPT}", f"{directory}/postbell_only"
    changed = f"{folder}/changed"
    maps = (f"pipemap:{{regexp:{folder}/copies, regexp:{only}}}", f"{indexed}:{changed}")
    return Recipe(
        server="Postfix",
        summary="a blind copy over LMTP, by a transport of its own",
        folders=(folder,),
        files=(
            *kept(site, directory=directory),
            File(changed, _CHANGED),
            File(only, f"/^(.*@{_literal(COPY_DOMAIN)})$/ ${{1}}\n"),
            *route.files,
        ),
        commands=(
            shlex.join(["postmap", "-c", directory, f"{indexed}:{changed}"]),
            *site.giving(folder),
            _set(directory, "recipient_bcc_maps", _added(bcc_maps, *maps, instead_of=_old(directory))),
            *route.commands,
            *site.noting("postfix", directory),
        ),
        reload=route.reload,
        notes=(BY_ITSELF, *route.notes, *site.notes),
        within=(_named(directory, *maps), *route.within),
    )


def kept(site: Site, *, directory: str) -> tuple[File, ...]:
    """The tables that Postbell writes by itself."""
    return (File(f"{directory}/{KEPT}/copies", "".join(_copy(address) for address in site.copied)),)


def signals(directory: str, suffix: str) -> tuple[File, tuple[str, ...], str]:
    """What makes Postfix look again: a table to write, the command that makes its index, and the index's place.

    The index is made under another name, so that none is ever half there: moved over the old one it counts as changed.
    """
    kind = next(name for name, each in INDEXED.items() if each == suffix)
    changing = f"{directory}/{KEPT}/changing"
    return File(changing, _CHANGED), ("postmap", "-c", directory, f"{kind}:{changing}"), changing + suffix


def _static(site: Site, route: Recipe, *, directory: str, bcc_maps: str) -> Recipe:
    """For a Postfix without the tables that it takes: one of root's, read at each reload."""
    copies = f"{directory}/postbell_bcc"
    return Recipe(
        server="Postfix",
        summary="a blind copy over LMTP, by a transport of its own",
        files=(File(copies, "".join(_copy(address) for address in site.copied)), *route.files),
        commands=(
            _set(directory, "recipient_bcc_maps", _added(bcc_maps, f"regexp:{copies}")),
            *route.commands,
            *site.noting("postfix", directory),
        ),
        reload=route.reload,
        notes=(AGAIN, *route.notes, *site.notes),
        within=(_named(directory, f"regexp:{copies}"), *route.within),
    )


def _old(directory: str) -> str:
    return f"regexp:{directory}/postbell_bcc"


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
            _set(directory, "transport_maps", _added(transport_maps, f"regexp:{table}")),
        ),
        reload=shlex.join(["postfix", "-c", directory, "reload"]),
        notes=(_LET_IN,),
        within=(_named(directory, f"regexp:{table}"), File(f"{directory}/{MASTER}", f"{TRANSPORT} unix\n")),
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


def _named(directory: str, *tables: str) -> File:
    """What the parameters say of our tables."""
    return File(f"{directory}/{MAIN}", "".join(f"{table}\n" for table in tables))


def _set(directory: str, name: str, value: str) -> str:
    return shlex.join(["postconf", "-c", directory, "-e", f"{name} = {value}"])


def _added(before: str, *ours: str, instead_of: str = "") -> str:
    """A list of tables with ours at its end; what is in braces is one of them."""
    there = re.findall(r"(?:[^\s,{]|\{[^}]*\})+", before)
    return ", ".join([*(word for word in there if word not in {*ours, instead_of}), *ours])

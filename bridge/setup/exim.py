"""Exim: a router that sees every recipient first and passes it on (`unseen`), a transport over LMTP.

A router of its own takes the mail of `postbell doctor`, which is for nobody else.

The copy keeps its recipient. Its errors go nowhere (`errors_to` empty), so that no sender ever hears
of Postbell; while Postbell is down it waits in the queue and the mail itself is delivered as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.config.endpoints import UnixAddress
from bridge.directory import COPY_DOMAIN, PROBES
from bridge.setup.recipe import AGAIN, BY_ITSELF, KEPT, File, Recipe, Site

if TYPE_CHECKING:
    from bridge.config.endpoints import Endpoint

ETC = "/etc/exim4"
_LET_IN = (
    "The socket must let the group Debian-exim in: where systemd opens it by SocketGroup=Debian-exim "
    '(systemctl edit postbell.socket), elsewhere by lmtp.socket_owner = ":Debian-exim".'
)


def recipe(site: Site, *, directory: str = ETC) -> Recipe:
    """Files and commands for Debian's split configuration, which `update-exim4.conf` puts together."""
    folder = f"{directory}/{KEPT}"
    [table] = kept(site, directory=directory)
    return Recipe(
        server="Exim",
        summary="an unseen router before all others, and LMTP",
        folders=(folder,),
        files=(
            table,
            File(f"{directory}/conf.d/router/050_postbell", _router(table.path)),
            File(f"{directory}/conf.d/transport/50_postbell", _transport(site.require_lmtp())),
        ),
        commands=(*site.giving(folder), "update-exim4.conf", *site.noting("exim", directory)),
        reload="invoke-rc.d exim4 reload",
        notes=(
            BY_ITSELF if site.kept else AGAIN,
            "Not split? Copy the routers behind `begin routers`, the transport behind `begin transports`.",
            _LET_IN,
            *site.notes,
        ),
    )


def kept(site: Site, *, directory: str) -> tuple[File, ...]:
    """The tables that Postbell writes by itself: Exim reads them at each recipient."""
    return (File(f"{directory}/{KEPT}/addresses", "".join(f"{each.removeprefix('@')}\n" for each in site.copied)),)


def _router(table: str) -> str:
    """The recipient is looked up as it is, without what follows a plus sign, and by its domain alone."""
    plain = "${sg{$local_part}{\\N[+].*$\\N}{}}@$domain"
    keys = ("$local_part@$domain", plain, "$domain")
    found = "".join(f"{{eq{{${{lookup{{{key}}}lsearch{{{table}}}{{1}}{{0}}}}}}{{1}}}}" for key in keys)
    return f"""postbell:
  driver = accept
  condition = ${{if or{{{found}}}}}
  transport = postbell
  errors_to =
  unseen
  no_verify
  no_expn

postbell_probe:
  driver = accept
  domains = {COPY_DOMAIN}
  local_parts = ^{PROBES}
  transport = postbell
  no_verify
  no_expn
"""


def _transport(lmtp: Endpoint) -> str:
    if isinstance(lmtp, UnixAddress):
        reach = f"  driver = lmtp\n  socket = {lmtp.path}\n  batch_max = 50\n"
    else:
        reach = (
            "  driver = smtp\n  protocol = lmtp\n"
            f"  hosts = {lmtp.host}\n  port = {lmtp.port}\n  allow_localhost\n  hosts_override\n"
        )
    return f"postbell:\n{reach}  return_path = $sender_address\n"

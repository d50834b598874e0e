"""Dovecot: a global Sieve script that redirects a copy, and Postfix to carry it.

Dovecot has no queue of its own: were the copy sent straight to Postbell, a Postbell that is down
would hold up the mail itself. So the copy goes back to the local Postfix, addressed to
`local=domain@postbell.invalid`, where the transport `postbell` takes it and its queue keeps it.
"""

from __future__ import annotations

import shlex

from bridge.directory import COPY_DOMAIN
from bridge.setup import postfix
from bridge.setup.recipe import AGAIN, File, Recipe, Site

ETC = "/etc/dovecot"


def recipe(
    site: Site, *, directory: str = ETC, postfix_directory: str = postfix.ETC, transport_maps: str = ""
) -> Recipe:
    """Files and commands for Dovecot's LMTP or LDA with Pigeonhole, in front of it Postfix."""
    script = f"{directory}/sieve/postbell.sieve"
    route = postfix.transport(site, directory=postfix_directory, transport_maps=transport_maps)
    return Recipe(
        server="Dovecot",
        summary="a global Sieve script that redirects a copy by way of Postfix",
        folders=(f"{directory}/sieve",),
        files=(
            File(script, _script(site)),
            File(f"{directory}/conf.d/95-postbell.conf", _plugin(script)),
            *route.files,
        ),
        commands=(shlex.join(["sievec", script]), *route.commands, *site.noting("dovecot", directory)),
        reload=f"doveadm reload && {route.reload}",
        notes=(
            AGAIN,
            "sieve_before must be free; else put the script into the directory that it names.",
            "A copy for an address that Postbell does not know bounces: change both together.",
            *route.notes,
            *site.notes,
        ),
        within=route.within,
    )


def _script(site: Site) -> str:
    patterns = ", ".join(f'"{pattern}"' for address in site.copied for pattern in _patterns(address))
    return f"""require ["copy", "envelope", "variables"];

if envelope :matches "to" [{patterns}] {{
    if envelope :matches "to" "*@*" {{
        redirect :copy "${{1}}=${{2}}@{COPY_DOMAIN}";
    }}
}}
"""


def _patterns(address: str) -> tuple[str, ...]:
    local, _, domain = address.rpartition("@")
    if not local:
        return (f"*@{domain}",)
    quoted = "".join(f"\\\\{c}" if c in "*?" else c for c in local)
    return f"{quoted}@{domain}", f"{quoted}+*@{domain}"


def _plugin(script: str) -> str:
    return f"""protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
protocol lda {{
  mail_plugins = $mail_plugins sieve
}}
plugin {{
  sieve_before = {script}
}}
"""

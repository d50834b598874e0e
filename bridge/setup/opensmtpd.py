"""OpenSMTPD: an alias that keeps the mailbox and adds the copy, and a relay action to Postbell.

It takes one action per recipient, so the copy has to be a recipient of its own: the alias of each
user names the user again and `local=domain@postbell.invalid`. The copy waits in the queue while
Postbell is down.
"""

from __future__ import annotations

import re
import shlex

from bridge.config.endpoints import TcpAddress
from bridge.directory import COPY_DOMAIN
from bridge.errors import ConfigurationError
from bridge.setup.recipe import File, Recipe, Site, copy_address, reachable

ETC = "/etc"
_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+'-]*")


def recipe(site: Site, *, directory: str = ETC) -> Recipe:
    """Files and commands; raises ConfigurationError when Postbell has no TCP listener."""
    rules = f"{directory}/smtpd.postbell.conf"
    main, aliases = f"{directory}/smtpd.conf", f"{directory}/aliases"
    include = f'include "{rules}"'
    users = [address for address in site.copied if _ALIAS.fullmatch(address.rpartition("@")[0])]
    unfit = [address for address in site.copied if address not in users and not address.startswith("@")]
    return Recipe(
        server="OpenSMTPD",
        summary="an alias for each user, and a relay action",
        files=(
            File(
                rules,
                f'action "postbell" relay host "{_relay(site)}"\n'
                f'match from any for domain "{COPY_DOMAIN}" action "postbell"\n',
            ),
        ),
        commands=(
            _include(include, main),
            *(_alias(address, aliases) for address in users),
            *site.noting("opensmtpd", directory),
        ),
        reload="systemctl restart opensmtpd",
        notes=(
            "A user who has an alias already keeps it: add the copy's address to it by hand.",
            f"The action for local mail needs `alias <aliases>`, a table of {aliases}.",
            "Aliases know no domains and no detail: `@domain` and `user+detail` ring only as the user.",
            "Run it again after users or addresses have been added.",
            "A copy for an address that Postbell does not know bounces: remove alias and user together.",
            *([f"Left out, since an alias would take them for commands: {', '.join(unfit)}."] if unfit else []),
            *site.notes,
        ),
        within=(File(main, f"{include}\n"), File(aliases, "".join(f"{copy_address(each)}\n" for each in users))),
    )


def _include(line: str, main: str) -> str:
    """The command that makes `line` the first of the main file, once; an empty file has no line to put it before."""
    file, first = shlex.quote(main), shlex.quote(f"1i {line}")
    begun = f"test -s {file} || test ! -e {file} || echo >> {file}"
    return f"grep -qxF {shlex.quote(line)} {file} || {{ {begun}; sed -i {first} {file}; }}"


def _alias(address: str, aliases: str) -> str:
    """The command that adds the alias of a user who has none.

    Only plain names: in a table of aliases `|word` is a command and `/word` a file.
    """
    local = address.rpartition("@")[0]
    known = "^" + re.sub(r"([.*^$])", r"\\\1", local) + ":"
    line = f"{local}: {local}, {copy_address(address)}"
    file = shlex.quote(aliases)
    return f"grep -qs {shlex.quote(known)} {file} || echo {shlex.quote(line)} >> {file}"


def _relay(site: Site) -> str:
    """SMTP, not LMTP: OpenSMTPD 6.8 gives up when the replies for two recipients come in one packet."""
    if not isinstance(site.smtp, TcpAddress):
        raise ConfigurationError("OpenSMTPD relays over SMTP and TCP only: set smtp.listen to host:port")
    return f"smtp+notls://{reachable('smtp.listen', site.smtp)}"

"""OpenSMTPD: an alias that keeps the mailbox and adds the copy, and a relay action to Postbell.

It takes one action per recipient, so the copy has to be a recipient of its own: the alias of each
user names the user again and `local=domain@postbell.invalid`. The copy waits in the queue while
Postbell is down.
"""

from __future__ import annotations

import re
import shlex

from bridge.directory import COPY_DOMAIN
from bridge.errors import ConfigurationError
from bridge.setup.recipe import File, Recipe, Site, copy_address

ETC = "/etc"


def recipe(site: Site, *, directory: str = ETC) -> Recipe:
    """Files and commands; raises ConfigurationError when Postbell has no TCP listener."""
    rules = f"{directory}/smtpd.postbell.conf"
    main, aliases = f"{directory}/smtpd.conf", f"{directory}/aliases"
    include = f'include "{rules}"'
    users = [address for address in site.copied if not address.startswith("@")]
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
            f"grep -qxF '{include}' {main} || sed -i '1i {include}' {main}",
            *(_alias(address, aliases) for address in users),
        ),
        reload="systemctl restart opensmtpd",
        notes=(
            "A user who has an alias already keeps it: add the copy's address to it by hand.",
            f"The action for local mail needs `alias <aliases>`, a table of {aliases}.",
            "Aliases know no domains and no detail: `@domain` and `user+detail` ring only as the user.",
            "Run it again after users or addresses have been added.",
            "A copy for an address that Postbell does not know bounces: remove alias and user together.",
            *site.notes,
        ),
    )


def _alias(address: str, aliases: str) -> str:
    """The command that adds the alias of a user who has none."""
    local = address.rpartition("@")[0]
    known = "^" + re.sub(r"([.*^$])", r"\\\1", local) + ":"
    line = f"{local}: {local}, {copy_address(address)}"
    return f"grep -qs {shlex.quote(known)} {aliases} || echo {shlex.quote(line)} >> {aliases}"


def _relay(site: Site) -> str:
    """SMTP, not LMTP: OpenSMTPD 6.8 gives up when the replies for two recipients come in one packet."""
    if not site.smtp or site.smtp.startswith("unix:"):
        raise ConfigurationError("OpenSMTPD relays over SMTP and TCP only: set smtp.listen to host:port")
    return f"smtp+notls://{site.smtp}"

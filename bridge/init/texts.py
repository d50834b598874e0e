"""The files that `postbell init` writes beside the configuration: units, and the hook of certbot. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

WRITTEN: Final = "# Written by `postbell init`."
RENEWAL: Final = "postbell-certificate"
"""The unit that renews the certificate of a local CA, and its timer."""

SERVICE: Final = f"""{WRITTEN}
[Unit]
Description=Postbell, push e-mail over MQTT
After=network-online.target

[Service]
Type=notify
ExecStart={{serve}}
ExecReload={{reload}}
Restart=always
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=15min
TimeoutStopSec=30
KillMode=mixed
WatchdogSec=60

[Install]
WantedBy=default.target
"""
"""Postbell as a service of one user, started by that user's own systemd."""

TIMER: Final = f"""{WRITTEN}
[Unit]
Description=Look whether Postbell's certificate is to be renewed

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
"""


def service(serve: Sequence[str], reload: Sequence[str]) -> str:
    """The unit of one user's Postbell; the commands that serve, and that have it read its configuration anew."""
    return SERVICE.format(serve=_quoted(serve), reload=_quoted(reload))


def renewal(program: Sequence[str]) -> str:
    """The unit that renews the certificate when it is due."""
    return f"""{WRITTEN}
[Unit]
Description=Renew Postbell's certificate when it is due
ConditionFileIsExecutable={program[0].replace("%", "%%")}

[Service]
Type=oneshot
ExecStart={_quoted(program)}
"""


def cron(program: Sequence[str]) -> str:
    """The same as a script for /etc/cron.weekly, where there is no systemd."""
    there = f"command -v {shlex.quote(program[0])} >/dev/null || exit 0"
    return f"#!/bin/sh\n{WRITTEN}\n{there}\nexec {shlex.join(program)} >/dev/null\n"


def socket_group(group: str) -> str:
    """A drop-in of postbell.socket: who may hand in mail."""
    return f"{WRITTEN}\n[Socket]\nSocketGroup={group}\n"


def deploy_hook(lineage: PurePath, program: Sequence[str]) -> str:
    """What certbot runs after each renewal: for this certificate alone, or for none in particular when run by hand."""
    return f"""#!/bin/sh
{WRITTEN} Hands Postbell each renewed certificate, which it takes up by itself.
lineage={shlex.quote(str(lineage))}
[ "${{RENEWED_LINEAGE:-$lineage}}" = "$lineage" ] || exit 0
command -v {shlex.quote(program[0])} >/dev/null || exit 0 # Postbell was removed: no reason for certbot to complain
exec {shlex.join(program)} "$lineage/fullchain.pem" "$lineage/privkey.pem"
"""


def _quoted(words: Sequence[str]) -> str:
    """Words as systemd splits them: in double quotes where they need it, a per cent sign and a dollar doubled."""
    return " ".join(_word(word.replace("%", "%%").replace("$", "$$")) for word in words)


def _word(word: str) -> str:
    if word and not any(letter in " \t\"'\\;" for letter in word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'

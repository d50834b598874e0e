"""The mail servers of this machine that hand over mail: which they are, and what the recipe of each is now."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from bridge.setup import dovecot, exim, opensmtpd, postfix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.setup.recipe import Recipe, Site

NAMES: Final = {"postfix": "Postfix", "exim": "Exim", "dovecot": "Dovecot", "opensmtpd": "OpenSMTPD"}
PLACES: Final = "/usr/sbin:/usr/local/sbin:/sbin"
"""Where mail servers have their programs: most users' PATH does not name these."""
ANSWERS_S: Final = 10.0


def marked(marks: Path) -> Iterator[tuple[str, str]]:
    """The servers that were set up, and where the configuration of each is; raises OSError for who may not look."""
    if marks.is_dir():
        for mark in sorted(marks.iterdir()):
            if mark.name in NAMES and mark.is_symlink():
                yield mark.name, str(mark.readlink())


def directory_of(marks: Path, name: str) -> str | None:
    """Where the configuration is that a mark leads to; None where there is none of that name. Raises OSError."""
    mark = marks / name
    return str(mark.readlink()) if mark.is_symlink() else None


def by_hand(server: str, directory: str, config: Path | None) -> str:
    """The one command that runs the recipe of a server again."""
    file = ["--config", str(config)] if config is not None else []
    return f"sudo postbell {shlex.join([*file, 'setup', server, '--directory', directory])} | sudo sh"


def recipe(server: str, site: Site, *, directory: str) -> Recipe:
    """The recipe for a server, as its configuration is now; raises ConfigurationError."""
    match server:
        case "postfix":
            directory = directory or postfix.ETC
            maps = {name: postconf(directory, "-h", name) for name in ("recipient_bcc_maps", "transport_maps")}
            return postfix.recipe(
                site,
                directory=directory,
                bcc_maps=maps["recipient_bcc_maps"],
                transport_maps=maps["transport_maps"],
                types=postconf(directory, "-m").split(),
            )
        case "dovecot":
            carried_by = postconf(postfix.ETC, "-h", "transport_maps")
            return dovecot.recipe(site, directory=directory or dovecot.ETC, transport_maps=carried_by)
        case "exim":
            return exim.recipe(site, directory=directory or exim.ETC)
        case _:
            return opensmtpd.recipe(site, directory=directory or opensmtpd.ETC)


def program(name: str) -> str | None:
    """Where a program of a mail server is; None when it is not on this machine."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{PLACES}")


def postconf(directory: str, *what: str) -> str:
    """What Postfix says of itself, as the value of a parameter; empty where there is no Postfix."""
    asking = program("postconf")
    if asking is None:
        return ""
    command = [asking, "-c", directory, *what]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWERS_S)  # noqa: S603 - no shell, fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""

"""Keeping mail servers told of the addresses: their tables are written, or the one command that does so is said."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli import opening, setup
from bridge.daemon.mail_servers import NAMES, PLACES, by_hand, marked
from bridge.setup import exim, postfix
from bridge.setup.recipe import KEPT as KEPT_FOLDER
from bridge.setup.recipe import MARKS
from bridge.store import offline, people

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.setup.recipe import File, Site

KEPT = {"postfix": postfix.kept, "exim": exim.kept}
"""The servers whose tables Postbell may write."""
WITHIN_S = 30.0


def refresh(settings: Settings, *, config: Path | None) -> None:
    """Have every mail server that was set up know the addresses as they are, and say on standard error what came of it.

    Never raises: the change itself is made.
    """
    with opening.acting(settings), offline.reading(settings.place) as connection:
        addresses = people.all_addresses(connection)
        site = replace(setup.site_of(settings, ()), addresses=tuple(addresses))
        for server, directory in marked(settings.state_dir / MARKS):
            problem = _written(server, site, directory)
            if problem is None:
                continue
            command = by_hand(server, directory, config)
            typer.echo(f"{NAMES[server]} does not know of it yet ({problem}); run: {command}", err=True)


def _written(server: str, site: Site, directory: str) -> str | None:
    """Write the tables of a server if they differ; why not, None when all is well."""
    if server not in KEPT:
        return "it reads them when it is told to"
    try:
        files = [file for file in KEPT[server](site, directory=directory) if not _same(file)]
        for file in files:
            _write(file)
        if files and server == "postfix":
            _signal(directory)
    except (OSError, subprocess.SubprocessError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


def _same(file: File) -> bool:
    return Path(file.path).read_text(encoding="utf-8") == file.text


def _write(file: File) -> None:
    """Put a whole file in the place of another one: a server may read it at any moment."""
    path = Path(file.path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(file.text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(path)


def _signal(directory: str) -> None:
    """Have Postfix look at its tables again; raises OSError or SubprocessError."""
    folder = Path(directory) / KEPT_FOLDER
    suffix = next((each for each in postfix.INDEXED.values() if (folder / f"changed{each}").exists()), None)
    if suffix is None:
        raise FileNotFoundError(None, f"there is no {folder}/changed that Postfix looks at")
    table, command, index = postfix.signals(directory, suffix)
    _write(table)
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:{PLACES}")
    if program is None:
        raise FileNotFoundError(None, "there is no program postmap here")
    acting = os.getuid() != os.geteuid()  # root, and the program is to be the owner as well
    subprocess.run(  # noqa: S603 - no shell, and words of ours
        [program, *command[1:]],
        check=True,
        capture_output=True,
        timeout=WITHIN_S,
        user=os.geteuid() if acting else None,
        group=os.getegid() if acting else None,
    )
    Path(index).replace(folder / f"changed{suffix}")

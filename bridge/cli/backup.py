"""`postbell backup`: the whole state in one file, while it is in use."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.archive import making, target
from bridge.archive.contents import BackupError
from bridge.archive.making import State
from bridge.cli import opening, options, output
from bridge.cli.local_login import KEY_FILE
from bridge.config import loading

if TYPE_CHECKING:
    from bridge.archive.contents import Head
    from bridge.config.settings import Settings


def backup(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file to write: tar, compressed as .gz, .xz or .bz2; - is stdout.")
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
    configuration: Annotated[
        bool, typer.Option("--configuration", help="Save the configuration file as well.")
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Save users, logins, mail and what waits in one file, while all runs."""
    settings = opening.existing(context, config)
    opening.require_file(settings, "save the database with pg_dump, and the directory of login files beside it")
    chosen = loading.find(options.chosen(context, config)) if configuration else None
    if configuration and chosen is None:
        raise BackupError("there is no configuration file that could be saved: all is default, or set by variables")
    with target.opened(file, overwrite=overwrite) as stream:
        head = making.make(
            state_of(settings, configuration=chosen),
            stream,
            scratch=making.scratch_for(file),
            version=version("postbell"),
            node=settings.node,
            now_ms=opening.now_ms(),
        )
    _tell(file, head, as_json=as_json)


def state_of(settings: Settings, *, configuration: Path | None = None) -> State:
    """The files that a backup is made of."""
    return State(
        database=settings.database,
        spool_dir=settings.spool_dir,
        key=settings.state_dir / KEY_FILE,
        password=settings.password_file,
        configuration=configuration,
    )


def facts(head: Head) -> dict[str, object]:
    """What a backup says of itself, for programs."""
    return {
        "version": head.version,
        "schema": head.schema,
        "created": output.moment(head.created_ms),
        "node": head.node,
        "users": head.users,
        "messages": head.messages,
        "bodies": head.bodies,
        "spool_files": head.spool_files,
        "missing": list(head.missing),
    }


def _tell(file: str, head: Head, *, as_json: bool) -> None:
    """What was saved; beside the backup itself, where that goes to standard output."""
    streamed = file == target.STREAM
    size = head.size if streamed else Path(file).stat().st_size
    if as_json:
        output.print_json({"file": file, "bytes": size, **facts(head)}, err=streamed)
        return
    typer.echo(f"saved {described(head)} in {file}, {size / 2**20:.1f} MiB", err=streamed)
    if head.missing:
        typer.echo(f"without {len(head.missing)} large bodies whose files are gone; their headers are saved", err=True)


def described(head: Head) -> str:
    """What is in a backup, for people."""
    counts = {"user": head.users, "message": head.messages, "body": head.bodies}
    return ", ".join(f"{count} {_plural(word) if count != 1 else word}" for word, count in counts.items())


def _plural(word: str) -> str:
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"

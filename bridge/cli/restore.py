"""`postbell restore`: a backup takes the place of the state, all of it or nothing."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.archive import contents, placing, target, unpacking
from bridge.archive.contents import BackupError, TakenError
from bridge.cli import opening, options, output, ownership
from bridge.cli.backup import described, facts, state_of
from bridge.cli.users import tell_mail_servers
from bridge.daemon import runfile
from bridge.errors import ConfigurationError, StoreCorruptError
from bridge.store import turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from bridge.archive.unpacking import Unpacked
    from bridge.config.settings import Settings

UNFINISHED, BESIDE = ".restoring", "restored"


class StateThereError(TakenError):
    """There is a state already, and nobody said that it may be put aside."""


def restore(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The backup; - is standard input.")],
    force: Annotated[bool, typer.Option("--force", help="Put a state that is there aside.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only read it, and say whether every byte is as it was saved.")
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Have a backup take the place of the state, while nothing runs on it."""
    settings = options.settings(context, config)
    with _opened(file) as stream:
        if check:
            head = unpacking.verify(stream).head
            told = {"file": file, **facts(head)}
            text = f"sound: {described(head)}, saved {output.moment(head.created_ms)} by {head.version}"
        else:
            ownership.become(settings.state_dir)
            told, text = _restore(settings, stream, force=force)
            tell_mail_servers(settings, config=options.chosen(context, config))
    if as_json:
        output.print_json(told)
    else:
        typer.echo(text)


def _restore(settings: Settings, stream: BufferedReader, *, force: bool) -> tuple[dict[str, object], str]:
    opening.require_file(settings, "bring the database back with pg_restore")
    with runfile.only_one(settings.run_dir, runfile.BRIDGE), runfile.only_one(settings.run_dir, runfile.BROKER):
        _refuse(settings, force=force)
        state, fresh = state_of(settings), settings.state_dir / UNFINISHED
        aside = settings.state_dir / f"before-restore-{output.moment(opening.now_ms()).replace(':', '-')}"
        shutil.rmtree(fresh, ignore_errors=True)  # of a restore that was cut off
        try:
            unpacked = unpacking.unpack(stream, fresh)
            placing.make_fit(fresh, unpacked)
            with turn.replacing(settings.database):  # from here on no command begins to change what is put aside
                _refuse(settings, force=force)  # one that began before may have made the first state
                kept_as = placing.place(fresh, state, aside=aside)
            beside = _put_beside(settings, fresh, unpacked)
        except OSError as error:
            raise BackupError(f"{settings.state_dir}: {error.strerror or error}; nothing was restored") from error
        except StoreCorruptError as error:
            raise BackupError(f"the database in this backup cannot be used: {error}") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    told = {"kept_as": kept_as and str(kept_as), "beside": [str(path) for path in beside], **facts(unpacked.head)}
    lines = [f"restored {described(unpacked.head)}, saved {output.moment(unpacked.head.created_ms)}"]
    if kept_as:
        lines.append(f"what was there before is kept as {kept_as}; remove it when you need it no more")
    lines += [f"{path.name} was saved as well: {path}; put it where it belongs, or remove it" for path in beside]
    lines.append("when the bridge starts, the broker is brought to this state")
    return told, "\n".join(lines)


def _refuse(settings: Settings, *, force: bool) -> None:
    if settings.database.exists() and not force:
        raise StateThereError(
            f"state_dir = {str(settings.state_dir)!r}: there is a state already; say --force to have it put aside "
            "in that directory, or name another directory"
        )


def _put_beside(settings: Settings, fresh: Path, unpacked: Unpacked) -> list[Path]:
    """What belongs outside the state directory is left in it, for the operator to put there."""
    beside = settings.state_dir / BESIDE
    found = []
    for name in (contents.PASSWORD, contents.CONFIGURATION):
        if name in unpacked.names and (fresh / name).exists():  # else it has its place in the state
            beside.mkdir(mode=0o700, exist_ok=True)
            found.append((fresh / name).replace(beside / name))
    return found


@contextmanager
def _opened(file: str) -> Iterator[BufferedReader]:
    if file == target.STREAM:
        with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
            yield stream
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}; name a file that postbell backup wrote") from error
    with stream:
        yield stream

"""`postbell export`: all that is known of a user, for that user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.archive import export as exporting
from bridge.archive import tape, target
from bridge.archive.contents import BackupError
from bridge.cli import devices, opening, options, output, whereabouts
from bridge.cli.backup import state_of
from bridge.store import pairing

if TYPE_CHECKING:
    from bridge.archive.export import Exported
    from bridge.config.settings import Settings

ARCHIVES = (".tar", ".gz", ".tgz", ".xz", ".txz", ".bz2")


def export(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose data.")],
    into: Annotated[
        str,
        typer.Argument(metavar="FILE|DIR", help="A new directory, or an archive as for backup: .tar, .tar.gz, -"),
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an archive that is there already.")] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Give a user all that is known of them: mail, headers, rules, addresses, devices.

    There are user.json, messages.jsonl with a header in each line, and each mail that is kept as mail/ID.eml.
    """
    opening.require_file(opening.existing(context, config), "ask for a mail with: postbell read USER ID")
    with opening.reading(context, config) as (settings, connection):
        listings = pairing.list_devices(connection, user)
    known = whereabouts.known(listings, devices.noted_visits(settings), now_ms=opening.now_ms())
    told = [device.as_json() for device in known]
    if into == target.STREAM or Path(into).suffix in ARCHIVES:
        exported = _into_archive(settings, user, into, told, overwrite=overwrite)
    else:
        exported = _into_folder(settings, user, Path(into), told)
    streamed = into == target.STREAM
    if as_json:
        facts = {"user": user, "into": into, "messages": exported.messages, "mails": exported.mails}
        output.print_json(facts, err=streamed)
    else:
        text = f"exported {user}: {exported.messages} headers, {exported.mails} of them with the mail, into {into}"
        typer.echo(text, err=streamed)


def _into_archive(settings: Settings, user: str, into: str, told: list[dict[str, Any]], *, overwrite: bool) -> Exported:
    with target.opened(into, overwrite=overwrite) as stream:
        writer = tape.ArchiveWriter(stream, made_s=opening.now_ms() // 1000)
        exported = exporting.export(state_of(settings), user, exporting.InArchive(writer, user), devices=told)
        writer.close()
    return exported


def _into_folder(settings: Settings, user: str, into: Path, told: list[dict[str, Any]]) -> Exported:
    try:
        folder = exporting.NewFolder(into)
        try:
            exported = exporting.export(state_of(settings), user, folder, devices=told)
            folder.finish()
        finally:
            folder.discard()
    except OSError as error:
        raise BackupError(f"{into}: {error.strerror or error}; nothing was exported") from error
    return exported

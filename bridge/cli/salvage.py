"""`postbell salvage`: what can be read of a damaged database, in a new one."""

from __future__ import annotations

import typer

from bridge.cli import opening, options, output, ownership
from bridge.daemon import runfile
from bridge.store import salvage as store_salvage


def salvage(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Save what can be read of a damaged database into a new one; the old file is kept."""
    settings = opening.existing(context, config)
    opening.require_file(settings, "PostgreSQL has means of its own")
    ownership.become(settings.state_dir)
    with runfile.only_one(settings.run_dir, runfile.BRIDGE):
        saved = store_salvage.salvage(settings.database)
    if as_json:
        output.print_json({"rows": saved.rows, "damaged": saved.damaged, "kept_as": str(saved.kept_as)})
        return
    for table, rows in saved.rows.items():
        typer.echo(f"{table:8} {rows:8} saved{', some could not be read' if table in saved.damaged else ''}")
    before = "the damaged file" if saved.damaged else "nothing was damaged; the file as it was"
    typer.echo(f"{before} is kept as {saved.kept_as}")

"""`postbell reconcile`: compares what the broker holds with what it should hold, and repairs the difference."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from bridge.cli import opening, options, output, ownership
from bridge.cli.serving import run_loop
from bridge.daemon import everywhere


def reconcile(
    context: typer.Context,
    config: options.Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be repaired.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare what the broker holds with what it should hold, and repair the difference."""
    settings = opening.existing(context, config)
    ownership.become(settings.state_dir)
    if everywhere.may_answer(settings):
        repair = everywhere.reconcile(settings, dry_run=dry_run)
    else:
        from bridge.daemon import logs, process  # noqa: PLC0415 - a running bridge has them, and they take long

        logs.configure(level="error", style=settings.log.format)
        repair = asdict(run_loop(process.reconcile_once(settings, dry_run=dry_run)))
    if as_json:
        output.print_json(repair)
        return
    verb = "would repair" if dry_run else "repaired"
    typer.echo(
        f"the broker held {repair['held']} topics; {verb}: {repair['missing']} missing, "
        f"{repair['different']} different, {repair['stale']} stale"
    )

"""`postbell push renew`: another key for Web Push, when somebody may have seen the one that there is."""

from __future__ import annotations

import typer

from bridge.cli import opening, options

push_app = typer.Typer(help="Push: how devices that sleep are rung.", no_args_is_help=True)


@push_app.callback()
def _several() -> None:
    """One command alone would be taken for the whole."""


@push_app.command("renew")
def push_renew(context: typer.Context, config: options.Config = None) -> None:
    """Make another key, and forget where devices are rung; each subscribes again when it is opened."""
    from bridge.push import writing  # noqa: PLC0415 - the library of ciphers, for this alone
    from bridge.store import subscriptions  # noqa: PLC0415

    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        forgotten = subscriptions.renew_key(transaction, writing.fresh_number())
    typer.echo("push has another key, from the next ring on")
    if forgotten:
        typer.echo(f"{forgotten} devices are rung again when their page or app has been opened once")

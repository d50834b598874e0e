"""`postbell reload`: what runs reads its configuration again, as on SIGHUP, and says what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from bridge.cli import opening, options, output
from bridge.daemon import control, runfile

if TYPE_CHECKING:
    from bridge.config.settings import Settings


def reload(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Have what runs read its configuration again, and say what holds from now on.

    A configuration with a mistake changes nothing. Ends with 2 then, and with 1 when nothing runs.
    """
    outcome = _outcome(opening.existing(context, config))
    if as_json:
        output.print_json(outcome)
    else:
        typer.echo("\n".join(_described(outcome)))
    problems = outcome["problems"] or (outcome["broker"] or {}).get("problems")
    if problems:
        raise typer.Exit(2)


def _outcome(settings: Settings) -> dict[str, Any]:
    """What the bridge says; what the broker says, where it runs alone."""
    if runfile.running(settings.run_dir, runfile.BRIDGE):
        return control.ask(settings.run_dir, {"do": "reload"})
    from bridge.cli.serving import run_loop  # noqa: PLC0415 - only for this case
    from bridge.daemon.brokers_reload import reload_broker  # noqa: PLC0415

    broker = run_loop(reload_broker(settings.run_dir))
    if broker is None:
        raise control.ControlError(f"neither a bridge nor a broker runs with the state directory {settings.state_dir}")
    return {"changed": [], "needs_restart": [], "problems": [], "broker": broker}


def _described(outcome: dict[str, Any]) -> list[str]:
    lines = _lines("bridge", outcome)
    return lines + (_lines("broker", outcome["broker"]) if outcome["broker"] else [])


def _lines(who: str, outcome: dict[str, Any]) -> list[str]:
    if outcome["problems"]:
        return [f"{who}: nothing was changed", *(f"  {problem}" for problem in outcome["problems"])]
    changed = ", ".join(outcome["changed"]) or "nothing that concerns it has changed"
    lines = [f"{who}: {changed}"]
    if outcome["needs_restart"]:
        lines.append(f"{who}: needs a restart for {', '.join(outcome['needs_restart'])}")
    return lines

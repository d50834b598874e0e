"""`postbell status`: what it does now, from the store and the run directory; works while it is down, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import facts, following, lagging, opening, options, output

if TYPE_CHECKING:
    from pathlib import Path


def status(
    context: typer.Context,
    config: options.Config = None,
    as_json: options.AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Renew it until Ctrl-C, with what moves.")] = False,
) -> None:
    """Show listeners, users, live messages, what waits for the broker, and the mailboxes that are followed.

    Ends with 1 when something that is configured is down or a mailbox has to be looked after, and with 2 when it
    cannot know, or when a mistake in the configuration keeps the broker from running.
    """
    if watch:
        from bridge.cli import watching  # noqa: PLC0415 - what draws on a terminal takes its time to import

        settings = options.settings(context, config)
        found = watching.watch(
            lambda: look(context, config),
            figures=lambda: watching.figures(settings),
            describe=describe,
            as_json=as_json,
        )
        raise typer.Exit(exit_code(found))
    found = look(context, config)
    if as_json:
        output.print_json(found)
    else:
        typer.echo("\n".join(describe(found)))
    _tell_why(found, context, config)
    raise typer.Exit(exit_code(found))


def _tell_why(found: dict[str, Any], context: typer.Context, config: Path | None) -> None:
    """Raise ConfigurationError with what keeps an embedded broker that is down from running, if that is the text."""
    if found["broker"]["running"] is not False:
        return
    from bridge.config import judging  # noqa: PLC0415 - the broker's program is asked, and it runs mostly

    with opening.acting(options.settings(context, config)):
        judging.refuse(options.chosen(context, config))


def look(context: typer.Context, config: Path | None) -> dict[str, Any]:
    """Everything that status tells, at this moment; raises ConfigurationError."""
    try:
        settings, missing = opening.existing(context, config), ""
    except opening.NoStoreError as error:
        settings, missing = options.settings(context, config), str(error)
    with opening.acting(settings):
        return facts.collect(settings, missing=missing)


def exit_code(found: dict[str, Any]) -> int:
    """0 when all is up, 1 when something is down or the database cannot be used, 2 when that cannot be known."""
    if not found["known"]:
        return 2
    return 0 if found["ok"] else 1


def describe(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    return [f"{name:16}  {text}" for name, text in [*_processes(found), *_listeners(found), *_stored(found)]]


def _processes(found: dict[str, Any]) -> list[tuple[str, str]]:
    if not found["here"]:
        return [("bridge", "runs elsewhere")]
    if found["running"] is None:
        return [("bridge", "cannot be known")]
    broker = found["broker"]
    lines = [("bridge", "running" if found["running"] else "not running")]
    if broker["embedded"] and not broker["running"]:
        return [*lines, ("broker", "not running")]
    spoken = f", MQTT {broker['protocol']}" if broker["protocol"] else ""
    return [*lines, ("broker", f"{'' if broker['connected'] else 'not '}connected, {broker['url']}{spoken}")]


def _listeners(found: dict[str, Any]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    if not found["here"]:
        return lines
    for name, configured in found["configured"].items():
        address = found["listeners"][name]
        if address:
            lines.append((name, address))
        elif configured:
            reason = found["awaited"].get(name)
            why = f": {reason}; it is tried again" if reason else ""
            lines.append((name, f"not up; it is to be at {configured}{why}"))
    return lines


def _stored(found: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("store", found["store"])]
    if found["store"] == "ok":
        lines = [
            ("users", str(found["users"])),
            ("live", f"{found['live']} messages"),
            ("outbox", f"{found['outbox']} topics wait for the broker{lagging.behind(found['oldest_s'])}"),
        ]
    lines += [(f"cell {each['cell']}", _cell(each)) for each in found["cells"]]
    lines += [(f"node {each['node']}", _node(each)) for each in found["nodes"]]
    if found["unowned"]:
        lines.append(("shards", f"nobody publishes for {found['unowned']} of 64"))
    lines += lagging.lines(found["lagging"])
    lines += following.lines(found["mailboxes"] or ())
    return lines + [("copy", f"{copy['file']}, of before a migration") for copy in found["copies"]]


def _node(each: dict[str, Any]) -> str:
    silent = f", silent for {each['silent_s']} s" if not each["alive"] else ""
    return f"publishes for {each['shards']} of 64 shards{silent}{lagging.behind(each['oldest_s'])}"


def _cell(each: dict[str, Any]) -> str:
    leaving = f", {each['leaving']} leave it" if each["leaving"] else ""
    state = facts.cell_state(each) or "cannot be known"
    return f"{state}, {each['url']}, {each['users']} users{leaving}{lagging.behind(each['oldest_s'])}"

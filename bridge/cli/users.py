"""`postbell user add`, `change`, `list` and `remove`: who gets mail, under which addresses."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.box.live_set import horizon
from bridge.cli import opening, options, output, rules
from bridge.store import people

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.settings import Settings

user_app = typer.Typer(help="People: who gets mail, under which addresses.", no_args_is_help=True)

Addresses = Annotated[
    list[str],
    typer.Option("--address", metavar="ADDR", help="A mail address, or @domain for all else of a domain. Repeatable."),
]


@user_app.command("add")
def user_add(
    context: typer.Context,
    name: options.UserName,
    address: Addresses,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Add a user with one or more mail addresses."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        people.add_user(transaction, name, address)
    tell_mail_servers(settings, config=options.chosen(context, config))
    if as_json:
        output.print_json({"user": name, "addresses": address})
    else:
        typer.echo(f"added {name}; pair a device with: postbell device add {name} phone")


@user_app.command("change")
def user_change(
    context: typer.Context,
    name: options.UserName,
    address: Annotated[
        list[str] | None, typer.Option("--address", metavar="ADDR", help="Add a mail address. Repeatable.")
    ] = None,
    remove_address: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="Take an address away. Repeatable.")
    ] = None,
    view_on: Annotated[
        list[str] | None, typer.Option(metavar="VIEW", help="Switch a view on: last, text, unread or event.")
    ] = None,
    view_off: Annotated[list[str] | None, typer.Option(metavar="VIEW", help="Switch a view off and clear it.")] = None,
    config: options.Config = None,
) -> None:
    """Change a user's addresses and views."""
    if not (address or remove_address or view_on or view_off):
        raise typer.BadParameter("nothing to change; name at least one option of: postbell user change --help")
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        people.add_addresses(transaction, name, address or [])
        for old in remove_address or []:
            people.remove_address(transaction, name, old)
        for view in view_on or []:
            people.set_view(transaction, name, view, on=True)
        for view in view_off or []:
            people.set_view(transaction, name, view, on=False)
    tell_mail_servers(settings, config=options.chosen(context, config))
    typer.echo(f"changed {name}")


@user_app.command("list")
def user_list(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the users with their addresses and devices."""
    with opening.reading(context, config) as (settings, connection):
        users = people.list_users(connection, horizon(opening.now_ms(), settings.retain.days))
    if as_json:
        output.print_json([asdict(user) for user in users])
        return
    rows = [
        (user.user, " ".join(user.addresses), " ".join(user.devices), str(user.unseen), str(user.live))
        for user in users
    ]
    output.print_table(
        ("user", "addresses", "devices", "unseen", "live"),
        rows,
        empty="no users yet; add one with: postbell user add NAME --address ADDR",
    )


@user_app.command("remove")
def user_remove(
    context: typer.Context,
    name: options.UserName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove a user with devices, messages and all else, here and on the broker."""
    settings = options.settings(context, config)
    if not yes and sys.stdin.isatty() and not as_json:
        with opening.reading(context, config) as (_, connection):
            has = people.belongings(connection, name)
        question = (
            f"{name} has {has.addresses} addresses, {has.devices} devices and {has.messages} messages. Remove all?"
        )
        typer.confirm(question, abort=True)
    removed = opening.change(settings, lambda transaction: people.remove_user(transaction, name))
    from bridge.cli import departing, telling  # noqa: PLC0415 - the spool's threads and all logins, for this alone

    departed = departing.clear(settings, name, removed.user_id)
    if as_json:
        facts = {"user": name, **asdict(removed), **asdict(departed)}
        facts.pop("user_id")
        output.print_json(facts)
    else:
        typer.echo("\n".join(departing.described(name, removed, departed)))
    tell_mail_servers(settings, config=options.chosen(context, config))
    telling.removed(settings, f"{name} with all devices")


def tell_mail_servers(settings: Settings, *, config: Path | None) -> None:
    """Have the mail servers that were set up here know the addresses as they are, or say what does that."""
    from bridge.setup.recipe import MARKS  # noqa: PLC0415 - what lists and shows users does without recipes

    if (settings.state_dir / MARKS).is_dir():
        from bridge.cli import upkeep  # noqa: PLC0415 - all recipes, where there is one to keep

        upkeep.refresh(settings, config=config)


user_app.command("rules")(rules.user_rules)

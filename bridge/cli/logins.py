"""`postbell sender`, `postbell admin` and `postbell node`: who else may log in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import opening, options, output, own_password, reach, telling
from bridge.store import logins

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config.settings import Settings
    from bridge.store.writer import Transaction

sender_app = typer.Typer(help="Senders: mail servers that log in over TLS to hand in mail.", no_args_is_help=True)
admin_app = typer.Typer(
    help="Administrators: MQTT logins that read everything and write nothing.", no_args_is_help=True
)

node_app = typer.Typer(help="Nodes: bridges that publish at this broker, each with a login.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="1 to 32 of a-z 0-9 _ -")]


@sender_app.command("add")
def sender_add(
    context: typer.Context, name: Name, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Add a sender and print its password, this once."""
    with opening.changing(options.settings(context, config)) as transaction:
        password = logins.add_sender(transaction, name)
    _show({"username": name, "password": password}, as_json=as_json)


@sender_app.command("password")
def sender_password(
    context: typer.Context, name: Name, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Give a sender a new password and print it, this once; the old one counts no more."""
    with opening.changing(options.settings(context, config)) as transaction:
        password = logins.renew_sender(transaction, name)
    _show({"username": name, "password": password}, as_json=as_json)


@sender_app.command("list")
def sender_list(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the senders."""
    with opening.reading(context, config) as (_, connection):
        _list(logins.list_senders(connection), as_json=as_json, empty="no senders; trusted networks need none")


@sender_app.command("remove")
def sender_remove(context: typer.Context, name: Name, config: options.Config = None) -> None:
    """Take a sender's login away."""
    _remove(context, config, name, logins.remove_sender)


@admin_app.command("add")
def admin_add(
    context: typer.Context, name: Name, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Add an administrator and print the MQTT login, this once."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        password = logins.add_admin(transaction, name)
    _show_mqtt(settings, name, password, as_json=as_json)


@admin_app.command("password")
def admin_password(
    context: typer.Context, name: Name, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Give an administrator a new password and print the MQTT login, this once."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        password = logins.renew_admin(transaction, name)
    _show_mqtt(settings, name, password, as_json=as_json)


@admin_app.command("list")
def admin_list(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the administrators."""
    with opening.reading(context, config) as (_, connection):
        _list(logins.list_admins(connection), as_json=as_json, empty="no administrators")


@admin_app.command("remove")
def admin_remove(context: typer.Context, name: Name, config: options.Config = None) -> None:
    """Take an administrator's login away; an open session ends within a second."""
    _remove(context, config, name, logins.remove_admin)


@node_app.command("add")
def node_add(
    context: typer.Context, name: Name, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Let the bridge of another node in, and print its MQTT login, this once."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        username, password = logins.add_node(transaction, name)
    _show_mqtt(settings, username, password, as_json=as_json)


@node_app.command("password")
def node_password(
    context: typer.Context, name: Name, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Give the bridge of a node a new password. This node's own bridge takes it up at once; another's is printed."""
    settings = options.settings(context, config)
    if name == settings.node:
        own_password.renew(settings)
        said = {"username": settings.broker_login, "taken_up": True}
        output.print_json(said) if as_json else typer.echo(f"{settings.broker_login} has a new password")
        return
    with opening.changing(settings) as transaction:
        username, password = logins.renew_node(transaction, name)
    _show_mqtt(settings, username, password, as_json=as_json)


@node_app.command("list")
def node_list(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the nodes whose bridges have a login."""
    with opening.reading(context, config) as (_, connection):
        _list(
            logins.list_nodes(connection), as_json=as_json, empty="no nodes; a bridge with its own broker adds itself"
        )


@node_app.command("remove")
def node_remove(context: typer.Context, name: Name, config: options.Config = None) -> None:
    """Take the login of a node's bridge away; an open session ends within a second."""
    _remove(context, config, name, logins.remove_node)


def _show(login: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        output.print_json(login)
        return
    for key, value in login.items():
        typer.echo(f"{key:9} {value}")
    typer.echo("The password is shown only now.")


def _show_mqtt(settings: Settings, username: str, password: str, *, as_json: bool) -> None:
    _show({"username": username, "password": password, "mqtt_url": str(reach.device_url(settings))}, as_json=as_json)
    telling.added(settings, username, password)


def _list(names: list[str], *, as_json: bool, empty: str) -> None:
    if as_json:
        output.print_json(names)
    else:
        output.print_table(("name",), [(name,) for name in names], empty=empty)


def _remove(
    context: typer.Context, config: options.Config, name: str, operation: Callable[[Transaction, str], None]
) -> None:
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        operation(transaction, name)
    if operation is not logins.remove_sender:
        telling.removed(settings, name)
    typer.echo(f"removed {name}")

"""`postbell user` and `postbell device`: who gets mail, and on what."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Annotated

import segno
import typer

from bridge.cli import context as shared
from bridge.daemon import runfile
from bridge.store import offline, people
from bridge.store.live import horizon

if TYPE_CHECKING:
    from bridge.config.settings import Settings

user_app = typer.Typer(help="People: who gets mail, under which addresses.", no_args_is_help=True)
device_app = typer.Typer(help="Devices: what a person is told on.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user: 1 to 32 of a-z 0-9 _ -")]
UserName = Annotated[str, typer.Argument(metavar="USER", help="Whose device it is.")]
DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="The device: 1 to 32 of a-z 0-9 _ -")]
Addresses = Annotated[
    list[str],
    typer.Option("--address", metavar="ADDR", help="A mail address, or @domain for all else of a domain. Repeatable."),
]


@user_app.command("add")
def user_add(
    context: typer.Context, name: Name, address: Addresses, config: shared.Config = None, as_json: shared.AsJson = False
) -> None:
    """Add a user with one or more mail addresses."""
    with shared.changing(shared.settings(context, config)) as transaction:
        people.add_user(transaction, name, address)
    if as_json:
        shared.print_json({"user": name, "addresses": address})
    else:
        typer.echo(f"added {name}; pair a device with: postbell device add {name} phone")


@user_app.command("change")
def user_change(
    context: typer.Context,
    name: Name,
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
    config: shared.Config = None,
) -> None:
    """Change a user's addresses and views."""
    if not (address or remove_address or view_on or view_off):
        raise typer.BadParameter("nothing to change; name at least one option of: postbell user change --help")
    with shared.changing(shared.settings(context, config)) as transaction:
        people.add_addresses(transaction, name, address or [])
        for old in remove_address or []:
            people.remove_address(transaction, name, old)
        for view in view_on or []:
            people.set_view(transaction, name, view, on=True)
        for view in view_off or []:
            people.set_view(transaction, name, view, on=False)
    typer.echo(f"changed {name}")


@user_app.command("list")
def user_list(context: typer.Context, config: shared.Config = None, as_json: shared.AsJson = False) -> None:
    """List the users with their addresses and devices."""
    settings = shared.settings(context, config)
    with offline.reading(settings.database) as connection:
        users = people.list_users(connection, horizon(shared.now_ms(), settings.retain.days))
    if as_json:
        shared.print_json([asdict(user) for user in users])
        return
    rows = [
        (user.user, " ".join(user.addresses), " ".join(user.devices), str(user.unseen), str(user.live))
        for user in users
    ]
    shared.print_table(
        ("user", "addresses", "devices", "unseen", "live"),
        rows,
        empty="no users yet; add one with: postbell user add NAME --address ADDR",
    )


@user_app.command("remove")
def user_remove(context: typer.Context, name: Name, config: shared.Config = None) -> None:
    """Remove a user with devices and messages, here and on the broker."""
    with shared.changing(shared.settings(context, config)) as transaction:
        people.remove_user(transaction, name)
    typer.echo(f"removed {name}")


@device_app.command("add")
def device_add(
    context: typer.Context,
    user: UserName,
    device: DeviceName,
    config: shared.Config = None,
    as_json: shared.AsJson = False,
    qr: Annotated[bool, typer.Option("--qr", help="Show the login as a QR code, too.")] = False,
) -> None:
    """Add a device and print its MQTT login, this once."""
    settings = shared.settings(context, config)
    with shared.changing(settings) as transaction:
        password = people.add_device(transaction, user, device)
    login = {
        "user": user,
        "device": device,
        "username": people.username(user, device),
        "password": password,
        "mqtt_url": mqtt_url(settings),
    }
    if as_json:
        shared.print_json(login)
        return
    for key in ("mqtt_url", "username", "password"):
        typer.echo(f"{key:9} {login[key]}")
    typer.echo("The password is shown only now. Subscribe to " + f"{settings.mqtt.root}/{user}/text in any MQTT app.")
    if qr:
        typer.echo(qr_code(login))


@device_app.command("list")
def device_list(
    context: typer.Context,
    user: Annotated[str | None, typer.Argument(help="Only this user's devices.")] = None,
    config: shared.Config = None,
    as_json: shared.AsJson = False,
) -> None:
    """List the devices."""
    settings = shared.settings(context, config)
    with offline.reading(settings.database) as connection:
        devices = people.list_devices(connection, user)
    if as_json:
        shared.print_json([asdict(device) | {"created": _date(device.created_ms)} for device in devices])
        return
    rows = [(device.user, device.device, device.username, _date(device.created_ms)) for device in devices]
    shared.print_table(
        ("user", "device", "username", "added"),
        rows,
        empty="no devices yet; add one with: postbell device add USER phone",
    )


@device_app.command("revoke")
def device_revoke(context: typer.Context, user: UserName, device: DeviceName, config: shared.Config = None) -> None:
    """Take a device's login away; a session it has open ends within a second."""
    with shared.changing(shared.settings(context, config)) as transaction:
        people.revoke_device(transaction, user, device)
    typer.echo(f"revoked {user}.{device}")


def mqtt_url(settings: Settings) -> str:
    """What a device is told of where the broker is: as configured for devices, else as it is reached from here."""
    return settings.broker.public_url or local_url(settings)


def local_url(settings: Settings) -> str:
    """How the broker is reached from this machine: as configured, else where it listens."""
    if settings.mqtt.url:
        return settings.mqtt.url
    return f"mqtt://{runfile.read(settings.run_dir, 'broker').get('mqtt') or settings.broker.listen}"


def qr_code(login: dict[str, str]) -> str:
    """The login as a URL in a QR code of block characters."""
    scheme, _, address = login["mqtt_url"].partition("://")
    drawn = StringIO()
    segno.make(f"{scheme}://{login['username']}:{login['password']}@{address}").terminal(drawn, compact=True)
    return drawn.getvalue()


def _date(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

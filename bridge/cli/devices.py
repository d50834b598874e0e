"""`postbell device add`, `list`, `password` and `revoke`: what a person is told on, and the login of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import opening, options, output
from bridge.setup import pasting
from bridge.setup.pasting import PairedDevice, Purpose
from bridge.store import pairing

if TYPE_CHECKING:
    from bridge.config.endpoints import MqttUrl
    from bridge.config.settings import Settings
    from bridge.store.pairing import DeviceListing
    from bridge.store.visits import NotedVisit

SESSIONS = "sessions.db"
"""The embedded broker's own file in the state directory."""

device_app = typer.Typer(help="Devices: what a person is told on.", no_args_is_help=True)

Owner = Annotated[str, typer.Argument(metavar="USER", help="Whose device it is.")]
DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="The device: 1 to 32 of a-z 0-9 _ -")]

Payload = Annotated[
    int | None,
    typer.Option(
        metavar="BYTES",
        help="The longest header that it takes, where its buffer is small, as 192; if all devices of the user need it.",
    ),
]

AsCode = Annotated[bool, typer.Option("--qr", help="Show the login as a QR code, too.")]

For = Annotated[
    Purpose | None, typer.Option("--for", help="What it is: prints exactly what to paste there, and all else beside.")
]


@device_app.command("add")
def device_add(
    context: typer.Context,
    user: Owner,
    device: DeviceName,
    payload: Payload = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
    with_qr: AsCode = False,
    purpose: For = None,
) -> None:
    """Add a device and print its MQTT login, this once."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        password = pairing.add_device(transaction, user, device, payload=payload)
        if purpose is Purpose.HOMEASSISTANT:
            pairing.discover(transaction, user, device)
        listings = pairing.list_devices(transaction.connection, user)
    show_login(settings, user, device, password, as_json=as_json, with_qr=with_qr, purpose=purpose)
    _warn_of_small_ones(settings, listings)


@device_app.command("change")
def device_change(
    context: typer.Context,
    user: Owner,
    device: DeviceName,
    payload: Annotated[
        int, typer.Option(metavar="BYTES", help="The longest header that it takes, as 192; 0 for whatever there is.")
    ],
    config: options.Config = None,
) -> None:
    """Change how long a header a device takes; its login stays."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        pairing.change_device(transaction, user, device, payload=payload or None)
        listings = pairing.list_devices(transaction.connection, user)
    typer.echo(f"changed {pairing.username(user, device)}")
    if payload:
        typer.echo("If it starves already, it has to connect once with a clean session.", err=True)
    _warn_of_small_ones(settings, listings)


def _warn_of_small_ones(settings: Settings, listings: list[DeviceListing]) -> None:
    if all(each.payload is None for each in listings):
        return
    from bridge.cli import fitting  # noqa: PLC0415 - small devices are few

    for warning in fitting.warnings(listings, root=settings.mqtt.root, payload=settings.limits.payload):
        typer.echo(warning, err=True)


@device_app.command("password")
def device_password(
    context: typer.Context,
    user: Owner,
    device: DeviceName,
    config: options.Config = None,
    as_json: options.AsJson = False,
    with_qr: AsCode = False,
    purpose: For = None,
) -> None:
    """Give a device a new password and print its login, this once; what waits for the device is kept."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        password = pairing.renew_device(transaction, user, device)
        if purpose is Purpose.HOMEASSISTANT:
            pairing.discover(transaction, user, device)
    show_login(settings, user, device, password, as_json=as_json, with_qr=with_qr, purpose=purpose)


@device_app.command("list")
def device_list(
    context: typer.Context,
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Only this user's devices.")] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """List the devices: which are online, when each was last seen, and how it connects."""
    from bridge.cli import whereabouts  # noqa: PLC0415

    with opening.reading(context, config) as (settings, connection):
        listings = pairing.list_devices(connection, user)
    noted = noted_visits(settings)
    devices = whereabouts.known(listings, noted, now_ms=opening.now_ms())
    if as_json:
        output.print_json([device.as_json() for device in devices])
        return
    output.print_table(
        whereabouts.COLUMNS,
        [device.as_row() for device in devices],
        empty="no devices yet; add one with: postbell device add USER phone",
    )
    for warning in whereabouts.warnings(devices):
        typer.echo(warning, err=True)
    _warn_of_small_ones(settings, listings)
    if devices and noted is None:
        typer.echo(whereabouts.UNREADABLE if settings.broker.embedded else whereabouts.OF_ANOTHER_BROKER, err=True)


def noted_visits(settings: Settings) -> dict[str, NotedVisit] | None:
    """What the embedded broker noted of devices; None when nobody can tell."""
    if not settings.broker.embedded:
        return None
    from bridge.daemon import runfile  # noqa: PLC0415
    from bridge.store import visits  # noqa: PLC0415

    return visits.read(settings.state_dir / SESSIONS, running=runfile.running(settings.run_dir, runfile.BROKER))


@device_app.command("revoke")
def device_revoke(context: typer.Context, user: Owner, device: DeviceName, config: options.Config = None) -> None:
    """Take a device's login away; a session it has open ends within a second."""
    from bridge.cli import telling  # noqa: PLC0415 - all logins, for those that change one

    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        pairing.revoke_device(transaction, user, device)
    telling.removed(settings, pairing.username(user, device))
    typer.echo(f"revoked {user}.{device}")


def show_login(
    settings: Settings,
    user: str,
    device: str,
    password: str,
    *,
    as_json: bool,
    with_qr: bool,
    purpose: Purpose | None = None,
) -> None:
    """Print what a device needs to log in, and have a broker that is not ours know of it; raises BrokerUntoldError.

    For a purpose standard output has what is to be pasted, and nothing else.
    """
    from bridge.cli import at_cell, reach, telling  # noqa: PLC0415 - all logins, for those that change one

    url = reach.device_url(at_cell.settings_of(settings, user))
    login = {
        "user": user,
        "device": device,
        "username": pairing.username(user, device),
        "password": password,
        "mqtt_url": str(url),
        **_other_ways(settings, user, device, password),
    }
    if purpose is not None:
        login["paste"] = pasting.paste(purpose, _paired(settings, url, login))
    if as_json:
        output.print_json(login)
    else:
        _print_login(settings, url, login, with_qr=with_qr, purpose=purpose)
    telling.added(settings, login["username"], password)


def _print_login(
    settings: Settings, url: MqttUrl, login: dict[str, str], *, with_qr: bool, purpose: Purpose | None
) -> None:
    beside = purpose is not None
    for key in ("mqtt_url", "username", "password", "web_url"):
        if key in login:
            typer.echo(f"{key:9} {login[key]}", err=beside)
    topic = f"{settings.mqtt.root}/{login['user']}/text"
    then = f"Subscribe to {topic} in any MQTT app." if purpose is None else pasting.hint(purpose)
    typer.echo(f"The password is shown only now. {then}", err=beside)
    if purpose is not None:
        typer.echo(login["paste"])
    if with_qr:
        from bridge.cli import qr  # noqa: PLC0415

        for_page = purpose in {None, Purpose.WEB} and "web_url" in login
        qr.show(login["web_url"] if for_page else url.with_login(login["username"], login["password"]))


def _paired(settings: Settings, url: MqttUrl, login: dict[str, str]) -> PairedDevice:
    return PairedDevice(
        url=url,
        root=settings.mqtt.root,
        user=login["user"],
        device=login["device"],
        password=login["password"],
        link=login.get("web_url", ""),
        own_broker=settings.broker.embedded,
        home=settings.home,
    )


def _other_ways(settings: Settings, user: str, device: str, password: str) -> dict[str, str]:
    """Where else the device may go, as far as there is such a place: the web client, a WebSocket, MQTT with TLS."""
    from bridge.cli import pairing_link, reach  # noqa: PLC0415 - for those who are shown a login

    found: dict[str, str] = {}
    if web := reach.web_url(settings):
        found["web_url"] = pairing_link.link(web, user=user, device=device, password=password, root=settings.mqtt.root)
        if web.scheme == "https":
            found["wss_url"] = f"wss://{str(web).partition('://')[2]}/mqtt"
    if secure := reach.secure_url(settings):
        found["mqtts_url"] = str(secure)
    return found

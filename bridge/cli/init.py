"""`postbell init`: from a fresh machine to a configuration, a certificate, a user with a device, and the next steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli import options
from bridge.init import answers, places
from bridge.init.answers import MailServer, Tls

VARIABLE = "POSTBELL_CONFIG"
"""It names the configuration, as `--config` does."""

Host = Annotated[str | None, typer.Option(metavar="HOST", help="The name or address that devices connect to.")]
Mta = Annotated[MailServer | None, typer.Option(help="The mail server on this machine.")]
TlsFrom = Annotated[Tls | None, typer.Option(help="Where the certificate comes from.")]
Cert = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --tls files: the certificate with its chain, as PEM.")
]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="With --tls files: its key, as PEM.")]
User = Annotated[str | None, typer.Option(metavar="NAME", help="The first user: 1 to 32 of a-z 0-9 _ -")]
Addresses = Annotated[list[str] | None, typer.Option(metavar="ADDR", help="The user's mail address. Repeatable.")]
Device = Annotated[str | None, typer.Option(metavar="NAME", help="The user's first device.")]
Port = Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="Where devices connect over TLS.")]
Also = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST", help="With --tls local-ca: another name or address of the host. Repeatable."),
]
StateDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where mail and users are kept.", show_default=False)
]
RunAs = Annotated[
    str, typer.Option(metavar="NAME", help="The system user that Postbell runs as, when root sets it up.")
]
ApplyMta = Annotated[
    bool | None,
    typer.Option("--apply-mta/--no-apply-mta", help="Set the mail server up as well, as root. Else it is asked."),
]
Qr = Annotated[
    bool | None, typer.Option("--qr/--no-qr", help="Show the login as a QR code. On a terminal it is shown.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is proposed, and do it.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that differ; the old ones are kept beside them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def init(
    context: typer.Context,
    host: Host = None,
    mta: Mta = None,
    tls: TlsFrom = None,
    cert: Cert = None,
    key: Key = None,
    user: User = None,
    address: Addresses = None,
    device: Device = None,
    port: Port = answers.MQTTS,
    also: Also = None,
    state_dir: StateDir = None,
    run_as: RunAs = places.ACCOUNT,
    apply_mta: ApplyMta = None,
    qr: Qr = None,
    yes: Yes = False,
    force: Force = False,
    dry_run: DryRun = False,
    config: options.Config = None,
) -> None:
    """Set an installation up: configuration, certificate, first user and device, mail server."""
    from bridge.cli import initialising  # noqa: PLC0415 - cryptography and more, which `--help` need not wait for
    from bridge.cli.asking import Said  # noqa: PLC0415

    named = options.chosen(context, config) or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    initialising.initialise(
        Said(host, mta, tls, cert, key, user, tuple(address or ()), device, port, tuple(also or ())),
        named=named,
        state_dir=state_dir,
        run_as=run_as,
        apply_mta=apply_mta,
        qr=qr,
        yes=yes,
        force=force,
        dry_run=dry_run,
    )

"""What `postbell init` does once it knows all: it shows the steps, takes them, and tells what became of each."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli import devices, first, opening
from bridge.config import loading
from bridge.init import authority, carrying, certificates
from bridge.init.answers import MailServer, Tls
from bridge.init.carrying import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.init.answers import Answers
    from bridge.init.carrying import Done
    from bridge.init.places import Installation
    from bridge.init.plan import Machine, Plan

WIDTH = 18
"""What became of a step stands in a column of so many characters."""


def preview(told: Answers, planned: Plan) -> None:
    """Tell each step, with what is there already, and print each file with its text; nothing is done."""
    for ahead in carrying.ahead(planned):
        _tell(ahead)
    typer.echo(f"  {'to be added':{WIDTH}} user {told.user}, {', '.join(told.addresses)}")
    typer.echo(f"  {'to be added':{WIDTH}} device {told.user}/{told.device}, with a login that is shown then")
    for file in planned.files:
        typer.echo(f"\n--- {file.path} ({file.mode})\n{file.text}", nl=False)


def agree(planned: Plan) -> None:
    """Show the steps on the terminal, and go on if they are wanted."""
    typer.echo("\nThis is what will be made, where it is not there already:\n")
    typer.echo("".join(f"  {step}\n" for step in planned.steps))
    typer.confirm("Go ahead?", default=True, abort=True)


def carry_out(planned: Plan) -> bool:
    """Do it and tell it; whether there was a configuration before."""
    typer.echo()
    again = False
    for done in carrying.carry_out(planned, now=opening.now):
        _tell(done)
        again = done.outcome is not Outcome.MADE
    return again


def _tell(done: Done) -> None:
    remark = f" ({done.remark})" if done.remark else ""
    typer.echo(f"  {done.outcome:{WIDTH}} {done.step}{remark}")


def pair(told: Answers, installation: Installation, *, with_qr: bool) -> None:
    """The first user with the first device, and the login."""
    settings = loading.load(Path(installation.configuration), environ={})
    pairing = first.paired(settings, told, account=installation.account)
    added = pairing["user"] or pairing["addresses"]
    outcome = Outcome.MADE if added else Outcome.THERE
    typer.echo(f"  {outcome:{WIDTH}} user {told.user}, {', '.join(told.addresses)}")
    if pairing["password"] is None:
        typer.echo(f"  {Outcome.THERE:{WIDTH}} device {told.user}/{told.device}")
        typer.echo(
            "\nIts password was shown when it was made; for a new one: "
            f"postbell device password {told.user} {told.device}"
        )
        return
    typer.echo(f"  {Outcome.MADE:{WIDTH}} device {told.user}/{told.device}, with this login:\n")
    devices.show_login(settings, told.user, told.device, pairing["password"], as_json=False, with_qr=with_qr)
    if told.tls is Tls.LOCAL_CA:
        file = certificates.Papers.within(Path(installation.tls)).authority
        typer.echo(f"The device has to trust {file}, SHA-256 {authority.facts(file.read_bytes()).sha256}")


def connect(told: Answers, installation: Installation, machine: Machine, *, wanted: bool | None) -> bool:
    """Set the mail server up if that is wanted, or allowed when asked; whether it was."""
    if told.mail_server is MailServer.NONE or not machine.root or wanted is False:
        return False
    settings = loading.load(Path(installation.configuration), environ={})
    made = first.recipe(settings, told, account=installation.account)
    if wanted is None:
        if not sys.stdin.isatty():
            return False
        typer.echo(f"\nThis makes {made.server} hand over copies:\n\n{made}")
        if not typer.confirm("Run it now, as root?", default=True):
            return False
    with to_the_end():
        left = first.follow(made)
    typer.echo(f"\n  {Outcome.DONE:{WIDTH}} {made.server}: {made.summary}")
    if left:
        typer.echo(f"  {Outcome.LEFT:{WIDTH}} {left}")
    return True


@contextmanager
def to_the_end() -> Iterator[None]:
    """Ctrl-C does not stop what is under way: it takes a moment, and half of it would be of no use."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

"""`postbell init`: from a fresh machine to a configuration, a certificate, a user with a device, and the next steps."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import asking, devices, first, opening, options, setup
from bridge.cli.asking import Proposed, Said
from bridge.config import keys, loading
from bridge.errors import ConfigurationError
from bridge.init import answers, authority, carrying, certificates, finding, guide, places, plan
from bridge.init.answers import MailServer, Tls
from bridge.init.carrying import Outcome
from bridge.setup import systemd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.init.answers import Answers
    from bridge.init.places import Installation
    from bridge.init.plan import Machine, Plan

VARIABLE = "POSTBELL_CONFIG"
"""It names the configuration, as `--config` does."""


def init(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="The name or address that devices connect to.")
    ] = None,
    mta: Annotated[MailServer | None, typer.Option(help="The mail server on this machine.")] = None,
    tls: Annotated[Tls | None, typer.Option(help="Where the certificate comes from.")] = None,
    cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --tls files: the certificate with its chain, as PEM.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="With --tls files: its key, as PEM.")] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="The first user: 1 to 32 of a-z 0-9 _ -")] = None,
    address: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="The user's mail address. Repeatable.")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="The user's first device.")] = None,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Where devices connect over TLS.")
    ] = answers.MQTTS,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="With --tls local-ca: another name or address of the host. Repeatable."),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where mail and users are kept.", show_default=False)
    ] = None,
    run_as: Annotated[
        str, typer.Option(metavar="NAME", help="The system user that Postbell runs as, when root sets it up.")
    ] = places.ACCOUNT,
    apply_mta: Annotated[
        bool | None,
        typer.Option("--apply-mta/--no-apply-mta", help="Set the mail server up as well, as root. Else it is asked."),
    ] = None,
    qr: Annotated[
        bool | None, typer.Option("--qr/--no-qr", help="Show the login as a QR code. On a terminal it is shown.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is proposed, and do it.")] = False,
    force: Annotated[bool, typer.Option(help="Replace files that differ; the old ones are kept beside them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    config: options.Config = None,
) -> None:
    """Set an installation up: configuration, certificate, first user and device, mail server."""
    given = Said(host, mta, tls, cert, key, user, tuple(address or ()), device, port, tuple(also or ()))
    named = options.chosen(context, config) or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    installation = _installation(named, state_dir, run_as)
    standard = named is None
    machine = _machine(installation, standard=standard and run_as == places.ACCOUNT)
    talking = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    _say_for_whom(installation)
    proposed = _proposed(installation)
    told = asking.asked(given, proposed) if talking else asking.without_asking(given, proposed, defaults=yes)
    _check(told, installation)
    planned = plan.make(told, installation, machine, known=_known())
    if dry_run:
        _show_plan(planned)
        return
    carrying.judge(planned, force=force, now=opening.now())
    if talking:
        typer.echo("\nThis is what will be made, where it is not there already:\n")
        typer.echo("".join(f"  {step}\n" for step in planned.steps))
        typer.confirm("Go ahead?", default=True, abort=True)
    with _to_the_end():
        again = _carry_out(planned)
        _pair(told, installation, with_qr=talking if qr is None else qr)
        problems = first.problems(Path(installation.configuration), machine, account=installation.account)
    connected = _connect(told, installation, machine, wanted=True if yes and apply_mta is None else apply_mta)
    typer.echo("\nWhat is next\n")
    for line in guide.lines(told, installation, machine, connected=connected, standard=standard, again=again):
        typer.echo(f"  {line}")
    if problems:
        typer.echo("\nBefore that, what the configuration has that will not work\n")
        typer.echo("\n".join(f"  {problem}" for problem in problems))
        raise typer.Exit(1)


def _installation(named: Path | None, state_dir: Path | None, account: str) -> Installation:
    """The server's own when root asks, else one of the user who asks."""
    named, state_dir = named and named.absolute(), state_dir and state_dir.absolute()
    if os.geteuid() == 0:
        group = finding.group(account)
        return places.of_the_system(account=account, group=group, configuration=named, state=state_dir)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigurationError(f"user {os.geteuid()} has no home directory: run this as one who has") from error
    return places.of_a_user(home, os.environ, configuration=named, state=state_dir)


def _machine(installation: Installation, *, standard: bool) -> Machine:
    """What is there; with the units of systemd that no package brought. Raises ConfigurationError if they cannot be."""
    machine = finding.machine(account=installation.account, standard=standard)
    if not (machine.root and machine.systemd and standard) or machine.service_unit:
        return machine
    return replace(machine, units=setup.units(directory=systemd.ETC).files, service_unit=True, socket_unit=True)


def _say_for_whom(installation: Installation) -> None:
    whom = (
        "this server" if installation.account else "you alone, without root (for the server itself: sudo postbell init)"
    )
    typer.echo(f"Postbell is set up for {whom}: {installation.configuration}")


def _proposed(installation: Installation) -> Proposed:
    """What this machine and an earlier configuration suggest."""
    host = finding.host()
    with suppress(ConfigurationError):
        if Path(installation.configuration).exists():
            url = loading.load(Path(installation.configuration), environ={}).broker.public_url
            host = url.host if url else host
    return Proposed(host, finding.mail_server(), finding.person(os.environ))


def _check(told: Answers, installation: Installation) -> None:
    """Raise ConfigurationError for answers that do not go together, or not with what is here."""
    if told.tls is Tls.FILES:
        assert told.certificate is not None
        assert told.key is not None
        certificates.judged(Path(told.certificate), Path(told.key), host=told.host, now=opening.now())
    if told.tls is not Tls.LETSENCRYPT:
        return
    if not installation.account:
        raise ConfigurationError("--tls letsencrypt: only root may read certbot's certificates: sudo postbell init …")
    if not finding.lineage(told.host):
        raise ConfigurationError(
            f"--tls letsencrypt: certbot has no certificate for {told.host} ({plan.LETSENCRYPT}/live/{told.host}); "
            f"get one first: certbot certonly --standalone -d {told.host}, or choose --tls local-ca"
        )


def _show_plan(planned: Plan) -> None:
    for step in planned.steps:
        typer.echo(f"{type(step).__name__.lower()}: {step}")
    for file in planned.files:
        typer.echo(f"\n--- {file.path} ({file.mode})\n{file.text}", nl=False)


def _carry_out(planned: Plan) -> bool:
    """Do it and tell it; whether there was a configuration before."""
    typer.echo()
    again = False
    for done in carrying.carry_out(planned, now=opening.now):
        remark = f" ({done.remark})" if done.remark else ""
        typer.echo(f"  {done.outcome:18} {done.step}{remark}")
        again = done.outcome is not Outcome.MADE
    return again


def _pair(told: Answers, installation: Installation, *, with_qr: bool) -> None:
    """The first user with the first device, and the login."""
    settings = loading.load(Path(installation.configuration), environ={})
    pairing = first.paired(settings, told, account=installation.account)
    added = pairing["user"] or pairing["addresses"]
    outcome = Outcome.MADE if added else Outcome.THERE
    typer.echo(f"  {outcome:18} user {told.user}, {', '.join(told.addresses)}")
    if pairing["password"] is None:
        typer.echo(f"  {Outcome.THERE:18} device {told.user}/{told.device}")
        typer.echo(
            "\nIts password was shown when it was made; for a new one: "
            f"postbell device password {told.user} {told.device}"
        )
        return
    typer.echo(f"  {Outcome.MADE:18} device {told.user}/{told.device}, with this login:\n")
    devices.show_login(settings, told.user, told.device, pairing["password"], as_json=False, with_qr=with_qr)
    if told.tls is Tls.LOCAL_CA:
        file = certificates.Papers.within(Path(installation.tls)).authority
        typer.echo(f"The device has to trust {file}, SHA-256 {authority.facts(file.read_bytes()).sha256}")


def _connect(told: Answers, installation: Installation, machine: Machine, *, wanted: bool | None) -> bool:
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
    with _to_the_end():
        left = first.follow(made)
    typer.echo(f"\n  {Outcome.DONE:18} {made.server}: {made.summary}")
    if left:
        typer.echo(f"  {Outcome.LEFT:18} {left}")
    return True


@contextmanager
def _to_the_end() -> Iterator[None]:
    """Ctrl-C does not stop what is under way: it takes a moment, and half of it would be of no use."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _known() -> dict[str, tuple[str, str]]:
    """Of each section and key what it is for, and of a key its default."""
    chapters = keys.chapters()
    named = {key.name: (key.meaning, key.toml(key.default)) for chapter in chapters for key in chapter.keys}
    return {chapter.name: (chapter.meaning, "") for chapter in chapters} | named

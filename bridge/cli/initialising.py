"""What `postbell init` does, from what it was told to the next steps."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli import asking, first, opening, setting_up, setup
from bridge.cli.asking import Proposed
from bridge.config import keys, loading
from bridge.errors import ConfigurationError
from bridge.init import carrying, certificates, finding, guide, places, plan
from bridge.init.answers import Tls
from bridge.setup import systemd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.cli.asking import Said
    from bridge.init.answers import Answers
    from bridge.init.places import Installation
    from bridge.init.plan import Machine, Plan


def initialise(
    given: Said,
    *,
    named: Path | None,
    state_dir: Path | None,
    run_as: str,
    apply_mta: bool | None,
    qr: bool | None,
    yes: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Set an installation up, at the configuration that was `named` or at the usual place.

    Ends with `typer.Exit(1)` where something will not work. Raises ConfigurationError with every mistake at once.
    """
    installation = _installation(named, state_dir, run_as)
    machine = _machine(installation, standard=named is None and run_as == places.ACCOUNT)
    talking = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    _say_for_whom(installation)
    told = _told(given, installation, talking=talking, defaults=yes)
    planned = plan.make(told, installation, machine, known=_known())
    _refuse(_mistakes(told, installation, planned, force=force or dry_run))
    if dry_run:
        setting_up.preview(told, planned)
        return
    if talking:
        setting_up.agree(planned)
    with setting_up.to_the_end():
        again = setting_up.carry_out(planned)
        setting_up.pair(told, installation, with_qr=talking if qr is None else qr)
    connected = setting_up.connect(told, installation, machine, wanted=True if yes and apply_mta is None else apply_mta)
    _say_what_is_next(
        guide.lines(told, installation, machine, connected=connected, standard=named is None, again=again)
    )
    _say_what_is_wrong(first.problems(Path(installation.configuration), machine, account=installation.account))


def _say_what_is_next(steps: tuple[str, ...]) -> None:
    typer.echo("\nWhat is next\n")
    for step in steps:
        typer.echo(f"  {step}")


def _say_what_is_wrong(problems: list[str]) -> None:
    """End with 1 when there is anything."""
    if problems:
        typer.echo("\nBefore that, what the configuration has that will not work\n")
        typer.echo("\n".join(f"  {problem}" for problem in problems))
        raise typer.Exit(1)


def _told(given: Said, installation: Installation, *, talking: bool, defaults: bool) -> Answers:
    """The answers; raises ConfigurationError with every option that cannot be meant, and every one that is missing."""
    proposed = _proposed(installation)
    mistakes = list(asking.mistakes(given))
    if not talking:
        mistakes += asking.missing(given, defaults=defaults)
    _refuse(mistakes)
    return asking.asked(given, proposed) if talking else asking.without_asking(given, proposed)


def _refuse(mistakes: list[str]) -> None:
    if mistakes:
        raise ConfigurationError("\n".join(dict.fromkeys(mistakes)))


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


def _mistakes(told: Answers, installation: Installation, planned: Plan, *, force: bool) -> list[str]:
    """What of the answers, or of what is here, is in the way of the plan."""
    wrong = list(_amiss(told, installation))
    rest = tuple(step for step in planned.steps if not (wrong and isinstance(step, plan.Copies)))
    return [*wrong, *carrying.mistakes(replace(planned, steps=rest), force=force, now=opening.now())]


def _amiss(told: Answers, installation: Installation) -> Iterator[str]:
    """Answers that do not go together, or not with what is here."""
    if told.tls is Tls.FILES:
        assert told.certificate is not None
        assert told.key is not None
        yield from certificates.mistakes(Path(told.certificate), Path(told.key), host=told.host, now=opening.now())
    if told.tls is not Tls.LETSENCRYPT:
        return
    if not installation.account:
        yield "--tls letsencrypt: only root may read certbot's certificates: sudo postbell init …"
    elif not finding.lineage(told.host):
        yield (
            f"--tls letsencrypt: certbot has no certificate for {told.host} ({plan.LETSENCRYPT}/live/{told.host}); "
            f"get one first: certbot certonly --standalone -d {told.host}, or choose --tls local-ca"
        )


def _known() -> dict[str, tuple[str, str]]:
    """Of each section and key what it is for, and of a key its default."""
    chapters = keys.chapters()
    named = {key.name: (key.meaning, key.toml(key.default)) for chapter in chapters for key in chapter.keys}
    return {chapter.name: (chapter.meaning, "") for chapter in chapters} | named

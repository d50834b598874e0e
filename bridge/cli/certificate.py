"""`postbell certificate show`, `renew`, `install` and `ca`: what devices are shown, and whom they have to trust."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import opening, options, output, ownership, qr
from bridge.errors import ConfigurationError, PostbellError
from bridge.init import authority, certificates
from bridge.init.certificates import Papers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bridge.config.settings import Settings

certificate_app = typer.Typer(
    help="The certificate that devices are shown: look at it, renew it, put another in its place.", no_args_is_help=True
)

PEM = Annotated[Path, typer.Argument(metavar="CHAIN", help="The certificate with its chain, as PEM.")]
Key = Annotated[Path, typer.Argument(metavar="KEY", help="Its key, as PEM and without a password.")]


@certificate_app.command("show")
def certificate_show(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show names, dates and fingerprint, and those of the local CA."""
    papers, settings = _papers(context, config)
    with _reached(settings.state_dir):  # whoever Postbell runs as may read what it shows
        shown = {"certificate": _told(papers.chain)}
        if papers.is_local():
            shown["ca"] = _told(papers.authority)
    if as_json:
        output.print_json(shown)
        return
    for what, told in shown.items():
        typer.echo(f"{what:12} {told['file']}")
        for name in ("names", "subject", "issuer", "begins", "ends", "sha256"):
            value = ", ".join(told[name]) if name == "names" else told[name]
            if value:  # a CA is for no host, and other certificates may have no subject
                typer.echo(f"  {name:10} {value}")


@certificate_app.command("renew")
def certificate_renew(
    context: typer.Context,
    config: options.Config = None,
    early: Annotated[bool, typer.Option("--now", help="Also when it is not due.")] = False,
) -> None:
    """Renew the certificate of a local CA when a third of its time is left; Postbell takes it up by itself."""
    papers, settings = _papers(context, config)
    host = settings.broker.public_url.host if settings.broker.public_url else ""
    with _reached(papers.chain.parent):
        renewed = certificates.renew(papers, host=host, now=opening.now(), early=early)
    if renewed is None:
        ends = authority.facts(papers.chain.read_bytes()).ends
        typer.echo(f"{papers.chain}: good until {ends:%Y-%m-%d}, not due yet; --now renews it all the same")
    else:
        typer.echo(f"{papers.chain}: renewed, good until {renewed.ends:%Y-%m-%d}; devices need nothing new")


@certificate_app.command("install")
def certificate_install(context: typer.Context, chain: PEM, key: Key, config: options.Config = None) -> None:
    """Copy a certificate and its key to where Postbell reads them, with the right modes: for hooks of ACME clients."""
    papers, settings = _papers(context, config)
    host = settings.broker.public_url.host if settings.broker.public_url else ""
    if papers.chain.resolve() == chain.resolve():
        raise ConfigurationError(
            f"{chain}: this is where Postbell reads it (broker.tls_cert); it takes it up by itself"
        )
    with _reached(papers.chain.parent):
        changed = certificates.install(papers, chain, key, host=host, group="", now=opening.now())
    ends = authority.facts(papers.chain.read_bytes()).ends
    typer.echo(f"{papers.chain}: {'copied' if changed else 'the same already'}, good until {ends:%Y-%m-%d}")


@certificate_app.command("ca")
def certificate_ca(
    context: typer.Context,
    config: options.Config = None,
    with_qr: Annotated[bool, typer.Option("--qr", help="Show it as a QR code instead.")] = False,
) -> None:
    """Print the certificate of the local CA, which each device has to trust."""
    papers, _ = _papers(context, config)
    try:
        pem = papers.authority.read_text(encoding="ascii")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{papers.authority}: there is no local CA; devices trust this certificate if they trust who issued it"
        ) from None
    if with_qr:
        qr.show(pem)
    else:
        typer.echo(pem, nl=False)


def _papers(context: typer.Context, config: Path | None) -> tuple[Papers, Settings]:
    """The files that the configuration names; raises ConfigurationError when it names none."""
    settings = options.settings(context, config)
    theirs = settings.broker.others
    if not (theirs.get("tls_cert") and theirs.get("tls_key")):
        raise ConfigurationError(
            "broker.tls_cert and broker.tls_key are not set: devices are shown no certificate; set them, or have them "
            "set by: postbell init"
        )
    return Papers(Path(theirs["tls_cert"]), Path(theirs["tls_key"])), settings


@contextmanager
def _reached(directory: Path) -> Iterator[None]:
    """What the system refuses, in words for people; who owns the directory may do it."""
    try:
        yield
    except PermissionError as error:
        owner = ownership.somebody_else(directory)
        advice = ownership.instead(owner) if owner else "look at its owner and mode"
        raise ownership.WrongUserError(f"{error.filename}: {error.strerror}; {advice}") from error
    except OSError as error:
        raise PostbellError(f"{error.filename}: {error.strerror}; mend the path, or make it anew") from error


def _told(file: Path) -> dict[str, Any]:
    try:
        facts = authority.facts(file.read_bytes())
    except ValueError as error:
        raise PostbellError(f"{file}: not a certificate as PEM: {error}") from error
    return {
        "file": str(file),
        "names": list(facts.names),
        "subject": facts.subject,
        "issuer": facts.issuer,
        "begins": _date(facts.begins),
        "ends": _date(facts.ends),
        "sha256": facts.sha256,
    }


def _date(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

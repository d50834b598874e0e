"""`postbell mailbox add`, `list`, `remove` and `test`: mailboxes that are followed over IMAP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import following, opening, options, output
from bridge.errors import MalformedNameError, PostbellError
from bridge.mailbox import addressing
from bridge.mailbox.account import MailAccount, Secret, SecretKind
from bridge.store import mailboxes

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.mailbox.account import Watched

mailbox_app = typer.Typer(
    help="Mailboxes: what is read there is gone here, and the other way round.", no_args_is_help=True
)

COLUMNS = ("mailbox", "user", "server", "login", "folder", "source", "state", "last event", "lag", "reason")
TEST_S = 20.0
Number = Annotated[int, typer.Argument(metavar="MAILBOX", help="Its number, as `mailbox list` has it.")]


@mailbox_app.command("add")
def mailbox_add(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose mailbox it is.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Its server, as imaps://imap.example.org")],
    login: Annotated[str, typer.Option("--login", metavar="NAME", help="The login there.")],
    password_file: Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="A file; its first line is the password.")
    ] = None,
    password_command: Annotated[
        str | None,
        typer.Option("--password-command", metavar="COMMAND", help="A command that writes the password; no shell."),
    ] = None,
    xoauth2_command: Annotated[
        str | None,
        typer.Option("--xoauth2-command", metavar="COMMAND", help="A command that writes an access token; no shell."),
    ] = None,
    folders: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="FOLDER", help="A folder that is followed; INBOX if none is named."),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Fetch mail that does not come by SMTP, from now on.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="With --source: fetch mail since then, as 2026-11-01.")
    ] = None,
    events: Annotated[
        bool,
        typer.Option(
            "--events", help="Keep no connection: Dovecot says when to look (postbell setup dovecot --events)."
        ),
    ] = False,
    config: options.Config = None,
) -> None:
    """Follow a mailbox: what is read, moved or deleted there is gone on devices; what they read is read there."""
    server = addressing.read(url)
    if since is not None and not source:
        raise MalformedNameError("--since says from when on mail is fetched, so it goes with --source")
    account = MailAccount(
        mailbox_id=0,
        user_id=0,
        user=user,
        host=server.host,
        port=server.port,
        tls=server.tls,
        login=login,
        secret=_secret(password_file, password_command, xoauth2_command),
        source_ms=_source_ms(since) if source else None,
        events=events,
    )
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        mailbox_id = mailboxes.add(transaction, account, folders or ["INBOX"])
    typer.echo(
        f"mailbox {mailbox_id} of {user} is followed; see whether it can be with: postbell mailbox test {mailbox_id}"
    )


def _secret(file: Path | None, password: str | None, token: str | None) -> Secret:
    """Where the secret comes from; raises MalformedNameError unless exactly one place is named."""
    named = [
        Secret(kind, where)
        for kind, where in (
            (SecretKind.PASSWORD_FILE, None if file is None else str(file.absolute())),
            (SecretKind.PASSWORD_COMMAND, password),
            (SecretKind.XOAUTH2_COMMAND, token),
        )
        if where is not None
    ]
    if len(named) != 1 or not named[0].where.strip():
        raise MalformedNameError("name one of --password-file, --password-command and --xoauth2-command")
    return named[0]


def _source_ms(since: str | None) -> int:
    if since is None:
        return opening.now_ms()
    try:
        return int(datetime.strptime(since, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise MalformedNameError(f"{since!r} is no day; write it as 2026-11-01") from error


@mailbox_app.command("list")
def mailbox_list(
    context: typer.Context,
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Only this user's mailboxes.")] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """List the mailboxes that are followed, and how that goes."""
    with opening.reading(context, config) as (settings, connection):
        mailboxes.accounts(connection, user)
        watched = [each for each in mailboxes.watched(connection) if user in {None, each.account.user}]
    from bridge.daemon import runfile  # noqa: PLC0415

    running = runfile.running(settings.run_dir, runfile.BRIDGE)
    found = following.told(settings, watched, running=running)
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        COLUMNS,
        [_row(each) for each in found],
        empty="no mailboxes yet; add one with: postbell mailbox add USER URL --login NAME --password-file FILE",
    )


def _row(each: dict[str, Any]) -> list[str]:
    lag = "" if each["lag_ms"] is None else f"{each['lag_ms']} ms"
    keys = ("mailbox", "user", "url", "login", "folder", "source", "state", "last_event")
    return [*(str(each[key] if each[key] is not None else "") for key in keys), lag, each["reason"]]


@mailbox_app.command("remove")
def mailbox_remove(context: typer.Context, mailbox: Number, config: options.Config = None) -> None:
    """Follow a mailbox no more; nothing is changed in it, and what was kept stays."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        mailboxes.remove(transaction, mailbox)
    typer.echo(f"mailbox {mailbox} is followed no more")


@mailbox_app.command("test")
def mailbox_test(
    context: typer.Context, mailbox: Number, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Log in to a mailbox as the bridge does, open its folders, and say what the server can; nothing is changed."""
    import asyncio  # noqa: PLC0415 - `list` does without

    with opening.reading(context, config) as (settings, connection):
        watched = [each for each in mailboxes.watched(connection) if each.account.mailbox_id == mailbox]
        if not watched:
            raise PostbellError(f"there is no mailbox {mailbox}; see: postbell mailbox list")
        found = asyncio.run(_tried(settings, watched))
    if as_json:
        output.print_json(found)
        return
    typer.echo(f"logged in to {watched[0].account.url} as {watched[0].account.login}")
    for name, exists in found["folders"].items():
        typer.echo(f"{name}: {exists} mails")
    typer.echo(
        "it says at once what changes (IDLE)" if found["idle"] else "it has no IDLE: it is asked every now and then"
    )


async def _tried(settings: Settings, watched: list[Watched]) -> dict[str, Any]:
    """What a server is like; raises ImapError."""
    from bridge.daemon.mailboxes import context  # noqa: PLC0415
    from bridge.imap.errors import ImapNoError  # noqa: PLC0415
    from bridge.imap.following import open_session  # noqa: PLC0415

    account = watched[0].account
    session = await open_session(account, tls=lambda: context(settings.imap), answer_s=TEST_S)
    try:
        folders = {}
        for each in watched:
            try:
                folders[each.name] = (await session.select(each.name)).exists
            except ImapNoError as error:
                there = ", ".join(sorted(await session.folders())) or "none"
                raise PostbellError(f"{each.name}: {error}; the folders there are {there}") from error
        return {
            "mailbox": account.mailbox_id,
            "url": account.url,
            "folders": folders,
            "idle": session.offers("IDLE"),
            "condstore": session.offers("CONDSTORE") or session.offers("QRESYNC"),
            "qresync": session.offers("QRESYNC"),
        }
    finally:
        await session.log_out()

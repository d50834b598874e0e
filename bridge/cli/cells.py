"""`postbell cell add`, `list`, `move`, `drain` and `remove`: brokers that share the users among them."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cells import Cell, spread
from bridge.cli import facts, opening, options, output
from bridge.errors import MalformedNameError
from bridge.store import cells, nodes, placing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.config.settings import Settings
    from bridge.store.writer import Transaction

cell_app = typer.Typer(help="Cells: brokers that share the users among them.", no_args_is_help=True)

MOVED_WITHIN_S, LOOK_S = 30.0, 0.1
"""How long a running bridge gets to have a move done, before the command ends without having seen it done."""
AT_ONCE = 100
"""Users who are moved in one transaction, for which mail waits."""

CellName = Annotated[str, typer.Argument(metavar="CELL", help="The cell: 1 to 32 of a-z 0-9 _ -")]


@cell_app.command("add")
def cell_add(
    context: typer.Context,
    name: CellName,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where the bridge reaches its broker, as mqtt://10.0.0.2:1883")
    ],
    logins_for: Annotated[
        str, typer.Option(metavar="BROKER", help="Whose login files Postbell keeps there: mosquitto or nats.")
    ] = "",
    logins_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The directory of these files, as the bridge sees it.")
    ] = None,
    logins_hook: Annotated[
        str, typer.Option(metavar="COMMAND", help="A command that has the broker read them; no shell.")
    ] = "",
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The bridge's password there; made where logins are kept.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The authorities that vouch for the broker.")
    ] = None,
    config: options.Config = None,
) -> None:
    """Add a cell: a broker that gets some of the users, the next ones as long as it has the fewest."""
    settings = options.settings(context, config)
    shared = bool(settings.store.url)
    cell = _cell(name, url, logins_for, logins_dir, logins_hook, password_file, ca_file, shared=shared)
    with opening.changing(settings) as transaction:
        cells.add(transaction, cell)
    typer.echo(f"added cell {name} for new users; others stay where they are: postbell cell move USER {name}")


def _cell(
    name: str,
    url: str,
    broker: str,
    directory: Path | None,
    hook: str,
    password: Path | None,
    authorities: Path | None,
    *,
    shared: bool,
) -> Cell:
    """The cell that is meant; raises MalformedNameError.

    Bridges that share a store have at a cell the password that they have at the first broker, unless one is named.
    """
    import shlex  # noqa: PLC0415 - `list` does without

    from bridge.config.endpoints import MqttUrl  # noqa: PLC0415
    from bridge.config.values import LOGINS_FOR  # noqa: PLC0415

    try:
        LOGINS_FOR.read(broker)
        meant = MqttUrl.parse(url)
    except ValueError as error:
        raise MalformedNameError(f"{url} {broker}: {error}") from error
    if broker and directory is None:
        raise MalformedNameError("--logins-for needs --logins-dir: a directory of this cell's own")
    if not broker and password is None and not shared:
        raise MalformedNameError("name --password-file, or have Postbell keep the logins there: --logins-for mosquitto")
    return Cell(
        cell_id=0,
        name=name,
        url=str(meant),
        ca_file=_absolute(authorities),
        password_file=_absolute(password),
        logins_for=broker,
        logins_dir=_absolute(directory),
        logins_hook=tuple(shlex.split(hook)),
    )


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


@cell_app.command("list")
def cell_list(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the cells with their users; the first is the broker of the configuration."""
    with opening.reading(context, config) as (settings, connection):
        found = facts.cell_facts(settings, connection)
    if as_json:
        output.print_json(found)
        return
    rows = [
        (
            each["cell"],
            each["url"],
            str(each["users"]),
            str(each["leaving"]),
            facts.cell_state(each),
        )
        for each in found
    ]
    output.print_table(("cell", "url", "users", "leaving", "state"), rows, empty="")


@cell_app.command("move")
def cell_move(context: typer.Context, user: options.UserName, cell: CellName, config: options.Config = None) -> None:
    """Move a user to another cell; their devices come there by themselves."""
    settings = options.settings(context, config)
    before = opening.change(settings, lambda transaction: cells.move(transaction, user, cell))
    if _seen_off(settings, {user}):
        typer.echo(f"{user} is at {cell} now, and nothing is left at {before.name}")
    else:
        typer.echo(f"{user} is at {cell}; what is left at {before.name} goes as soon as the bridge reaches both")


@cell_app.command("drain")
def cell_drain(
    context: typer.Context,
    cell: CellName,
    move: Annotated[bool, typer.Option("--move", help="Move its users to the other cells, too.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Have new users go there again.")] = False,
    config: options.Config = None,
) -> None:
    """Have no new users go to a cell."""
    settings = options.settings(context, config)
    with opening.changing(settings) as transaction:
        cells.drain(transaction, cell, draining=not undo)
    if undo:
        typer.echo(f"new users go to {cell} again")
        return
    typer.echo(f"nobody new goes to {cell}")
    moved = 0
    while move and (users := _move_some(settings, cell)):
        moved += len(users)
        _seen_off(settings, users)
    if move:
        typer.echo(f"{moved} users have moved")


def _move_some(settings: Settings, cell: str) -> set[str]:
    def move(transaction: Transaction) -> set[str]:
        users = cells.members(transaction.connection, cell, limit=AT_ONCE)
        places = spread(len(users), placing.occupied(transaction.connection))
        if users and not places:
            raise placing.CellError("all cells are draining; add one first, or have one filled again: --undo")
        for user, place in zip(users, places, strict=True):
            cells.move(transaction, user, place.name)
        return set(users)

    return opening.change(settings, move)


@cell_app.command("remove")
def cell_remove(context: typer.Context, cell: CellName, config: options.Config = None) -> None:
    """Take away a cell that has no users any more."""
    with opening.changing(options.settings(context, config)) as transaction:
        cells.remove(transaction, cell)
    typer.echo(f"removed cell {cell}")


def _seen_off(settings: Settings, users: Iterable[str]) -> bool:
    """Wait a little for the bridge, if one runs; whether nothing is left of these users where they were."""
    from bridge.daemon import runfile  # noqa: PLC0415
    from bridge.store import offline  # noqa: PLC0415

    def serves() -> bool:
        """Whether any bridge is there to do it: on this machine, or at the same store."""
        if runfile.running(settings.run_dir, runfile.BRIDGE):
            return True
        with opening.acting(settings), offline.reading(settings.place) as connection:
            return bool(settings.store.url) and any(each.shards for each in nodes.standings(connection))

    give_up_at = time.monotonic() + MOVED_WITHIN_S
    while True:
        with opening.acting(settings), offline.reading(settings.place) as connection:
            left = {each.name for each in placing.leaving(connection)}.intersection(users)
        if not left:
            return True
        if time.monotonic() > give_up_at or not serves():
            return False
        time.sleep(LOOK_S)

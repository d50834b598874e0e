"""What becomes of a change of logins at a broker that is not Postbell's own: it is told, or the operator is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from bridge.cells import MAIN
from bridge.cli import at_cell, opening, ownership
from bridge.daemon import runfile
from bridge.errors import PostbellError
from bridge.store import logins, nodes, offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.cells import Cell
    from bridge.config.settings import Settings
    from bridge.daemon.outside import Outside
    from bridge.kept import MqttLogin

PATIENCE_S = 60.0
"""A hook may take half of it, and ending the sessions of logins that went the rest."""
PAGE = "docs/brokers/README.md"


class BrokerUntoldError(PostbellError):
    """The change is made, and the broker does not know of it; the text says both, and what to do."""


def added(settings: Settings, username: str, password: str) -> None:
    """A login is new, or has a new password: on return the broker lets it in. Raises BrokerUntoldError."""
    cell = at_cell.cell_of(settings, username.partition(".")[0])
    if cell is not None and cell.cell_id != MAIN:
        _added_at(settings, cell, username, password)
        return

    def tell() -> None:
        written(settings)
        _see_let_in(settings, username, password)

    by_hand = (
        f"This broker is not Postbell's own: let {username} in there with this password and the rights in {PAGE}, "
        "or have Postbell do so: mqtt.logins_for"
    )
    _tell(settings, tell, done=f"{username} has its password", by_hand=by_hand)


def renewed(settings: Settings) -> None:
    """The bridge itself has a new password. Raises BrokerUntoldError."""
    _tell(settings, lambda: written(settings), done=f"{settings.broker_login} has its password", by_hand="")


def removed(settings: Settings, who: str) -> None:
    """Logins went: on return the broker knows none of them, and has no session of theirs. Raises BrokerUntoldError."""
    by_hand = (
        f"This broker is not Postbell's own, and still lets {who} in: take the login away there, and have the broker "
        f"end its session ({PAGE}), or have Postbell do so: mqtt.logins_for"
    )
    _tell(settings, lambda: written(settings), done=f"{who} is removed here", by_hand=by_hand)
    if settings.broker.embedded and at_cell.are_there(settings) and runfile.running(settings.run_dir, runfile.BRIDGE):
        try:
            written(settings)
        except BrokerUntoldError as error:
            raise BrokerUntoldError(f"{who} is removed here, but not all cells know it yet: {error}") from error


def written(settings: Settings, *, read: bool = True) -> list[str]:
    """Have the login files as the store is and, unless told otherwise, the broker read them.

    Gives the logins that are left out, as their passwords are of old. Raises BrokerUntoldError.
    """
    with _untold(), opening.acting(settings):
        if read and runfile.running(settings.run_dir, runfile.BRIDGE):
            return _ask(settings)
        return _write(settings, read=read)


def _added_at(settings: Settings, cell: Cell, username: str, password: str) -> None:
    """The same at a cell beside the first."""
    if not cell.logins_for:
        typer.echo(f"The broker of cell {cell.name} is not Postbell's own: let {username} in there ({PAGE})", err=True)
        return
    if not runfile.running(settings.run_dir, runfile.BRIDGE):
        names = _elsewhere(settings)
        when = f"within seconds, by {names}" if names else "as soon as the bridge runs"
        typer.echo(f"{username} is let in at cell {cell.name} {when}", err=True)
        return
    from bridge.daemon import cell_settings  # noqa: PLC0415 - of cells there are mostly none

    try:
        written(settings)
        _see_let_in(cell_settings.at(settings, cell), username, password)
    except BrokerUntoldError as error:
        raise BrokerUntoldError(
            f"{username} has its password, but cell {cell.name} does not know it yet: {error}"
        ) from error


def _elsewhere(settings: Settings) -> str:
    """The bridges that share the store and run on other machines, for a text; empty where there are none."""
    if not settings.store.url:
        return ""
    with opening.acting(settings), offline.reading(settings.place) as connection:
        names = ", ".join(nodes.alive(connection))
    return names and f"bridges elsewhere ({names})"


def _tell(settings: Settings, tell: Callable[[], object], *, done: str, by_hand: str) -> None:
    if settings.broker.embedded:
        return
    if not settings.mqtt.logins_for:
        if names := _elsewhere(settings):
            typer.echo(f"The broker is told by {names}, where mqtt.logins_for is set there. Where it is not:", err=True)
        typer.echo(by_hand, err=True)
        return
    try:
        tell()
    except BrokerUntoldError as error:
        raise BrokerUntoldError(f"{done}, but {settings.mqtt.logins_for} does not know it yet: {error}") from error


@contextmanager
def _untold() -> Iterator[None]:
    """Whatever keeps the broker from knowing is one error; who is the wrong user is told so."""
    try:
        yield
    except ownership.WrongUserError:
        raise
    except PostbellError as error:
        raise BrokerUntoldError(str(error)) from error


def _ask(settings: Settings) -> list[str]:
    from bridge.daemon import control  # noqa: PLC0415 - sockets, for this alone

    left_out: list[str] = control.ask(settings.run_dir, {"do": "logins"}, deadline_s=PATIENCE_S)["left_out"]
    return left_out


def _write(settings: Settings, *, read: bool) -> list[str]:
    """Write the files from here."""
    from bridge.cli.serving import run_loop  # noqa: PLC0415 - asyncio

    return run_loop(_outside(settings, reload=read).files.bring_up_to_date())


def _see_let_in(settings: Settings, username: str, password: str) -> None:
    from bridge.cli.serving import run_loop  # noqa: PLC0415 - asyncio

    with _untold():
        run_loop(_outside(settings, reload=False).see_let_in(username, password))


def _outside(settings: Settings, *, reload: bool) -> Outside:
    """The other broker, with a store that is opened for each look."""
    from bridge.daemon import logs  # noqa: PLC0415 - the library of the link takes a while
    from bridge.daemon.outside import Outside  # noqa: PLC0415

    async def revision() -> int:
        with offline.reading(settings.place) as connection:
            return logins.revision(connection)

    async def listed() -> list[MqttLogin]:
        with offline.reading(settings.place) as connection:
            return logins.list_first(connection)

    async def admit(username: str, password: str, *, node: str) -> None:
        with opening.changing(settings) as transaction:
            logins.admit_bridge(transaction, username, password, node=node)

    logs.configure(level="error", style=settings.log.format)
    return Outside(settings, revision=revision, read=listed, admit=admit, reload=reload)

"""At which cell a user is, for commands: mostly there is but the one, and nothing is other than the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.cli import opening
from bridge.store import offline, placing

if TYPE_CHECKING:
    from bridge.cells import Cell
    from bridge.config.settings import Settings


def cell_of(settings: Settings, user: str) -> Cell | None:
    """The cell of a user; None where there are no cells, or there is no such user."""
    with opening.acting(settings), offline.reading(settings.place) as connection:
        return placing.of_user(connection, user)


def settings_of(settings: Settings, user: str) -> Settings:
    """The settings with the broker of the cell where this user is."""
    cell = cell_of(settings, user)
    if cell is None:
        return settings
    from bridge.daemon import cell_settings  # noqa: PLC0415 - of cells there are mostly none

    return cell_settings.at(settings, cell)


def are_there(settings: Settings) -> bool:
    """Whether there are cells beside the first."""
    with opening.acting(settings), offline.reading(settings.place) as connection:
        return placing.any_others(connection)

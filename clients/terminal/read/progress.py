"""How far reading has come, as bars on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bars:
    """Bars on standard error while the context lasts; they vanish with it."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    @contextmanager
    def of(self, operation: str) -> Iterator[Callable[[int, int | None], None]]:
        """A bar for one operation, drawn with its first bytes, and how it is told those so far and in all."""
        task = self._progress.add_task(operation, total=None)

        def advanced(have: int, total: int | None) -> None:
            """Draw it, unless there is nothing to be seen of it."""
            if have and have != total:
                self._progress.start()
            self._progress.update(task, completed=have, total=total)

        yield advanced
        self._progress.remove_task(task)

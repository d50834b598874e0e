"""A group whose commands are imported when one is asked for, and listed by what is said of them beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperGroup

from bridge.cli.plain import made_plain
from bridge.cli.typed import read_by_us

if TYPE_CHECKING:
    from collections.abc import Iterator

Told = typer.Typer | Callable[..., Any]
"""What makes a command: its function, or an app of one or several."""
Finder = Callable[[], Told]
"""Imports a command's module and gives what is in it. The name is the command's, the docstring its line in the help."""

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
PLAIN: None = None
"""As typer calls help without frames and colours: those alone would cost a quarter of a command's start."""


class Found(Mapping[str, Any]):
    """Commands by name, each made when it is looked up."""

    def __init__(self, finders: Mapping[str, Finder]) -> None:
        self._finders = finders
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = made(name, self._finders[name]())
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._finders

    def __iter__(self) -> Iterator[str]:
        return iter(self._finders)

    def __len__(self) -> int:
        return len(self._finders)


class LazyGroup(TyperGroup):
    """The commands of `finders`, in their order; the list of them imports none."""

    finders: ClassVar[dict[str, Finder]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        read_by_us(self)  # before there are any below it: those are read when they are made
        self.commands: Any = Found(self.finders)

    @classmethod
    def found_by(cls, finder: Finder) -> Finder:
        """Have a command: a decorator for its finder."""
        cls.finders[finder.__name__] = finder
        return finder

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the program's name in the line of usage."""
        del ctx
        return ["[OPTIONS]", "COMMAND ..."]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands into the help."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, finder.__doc__ or "") for name, finder in self.finders.items()])


def made(name: str, told: Told) -> Any:
    """The command that a function or an app becomes."""
    app = told
    if not isinstance(app, typer.Typer):
        app = typer.Typer()
        app.command(name)(told)
    app.rich_markup_mode, app._add_completion = PLAIN, False  # noqa: SLF001 - the same for all, wherever they are written
    command = typer.main.get_command(app)
    command.name = name
    return read_by_us(made_plain(command))

"""A text as a QR code on a terminal, with its own colours, so that a camera reads it on any background."""

from __future__ import annotations

import typer

QUIET = 4
"""Modules of light around the code, on each side (ISO/IEC 18004 §6.3.8)."""

_INK = "\N{ESC}[38;5;16;48;5;231m"  # black on white out of the colour cube: themes repaint the first sixteen only
_END = "\N{ESC}[0m"
_BLOCKS = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def show(text: str) -> None:
    """Print a text as a QR code: in colours on a terminal that may have them, else as plain blocks."""
    from rich.console import Console  # noqa: PLC0415 - which takes longer than all else of adding a device

    console = Console()
    coloured = console.is_terminal and not console.no_color
    typer.echo(drawn(text, coloured=coloured), color=coloured or None)


def drawn(text: str, *, coloured: bool) -> str:
    """The QR code of a text, two rows of modules in each line.

    In colours a block is dark, and the line brings its white. Without, a block is what is light, as the background
    of most terminals is dark.
    """
    rows = _dark(text)
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    lines = []
    for above, below in zip(rows[::2], rows[1::2], strict=True):
        line = "".join(_BLOCKS[upper is coloured, lower is coloured] for upper, lower in zip(above, below, strict=True))
        lines.append(f"{_INK}{line}{_END}" if coloured else line)
    return "\n".join(lines)


def _dark(text: str) -> list[list[bool]]:
    """The modules of the code with its quiet zone, row by row; True is dark."""
    import segno  # noqa: PLC0415 - only who wants a code waits for it

    return [[module != 0 for module in row] for row in segno.make(text, micro=False).matrix_iter(border=QUIET)]

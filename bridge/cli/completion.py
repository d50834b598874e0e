"""`postbell completion`: what makes a shell complete the words of `postbell`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.describing import everything
from bridge.cli.shells import bash, fish, positions, zsh

if TYPE_CHECKING:
    from collections.abc import Callable


class Shell(StrEnum):
    """Shells for which there is a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell that you type in.")]
) -> None:
    """Print a script that completes commands, options, users and devices.

    To have it from now on: bash, in ~/.bashrc: source <(postbell completion bash). zsh, in ~/.zshrc behind compinit:
    source <(postbell completion zsh). fish: postbell completion fish > ~/.config/fish/completions/postbell.fish
    """
    root: Any = context.find_root().command
    script: Callable[[list[positions.Position]], str] = {
        Shell.BASH: bash.script,
        Shell.ZSH: zsh.script,
        Shell.FISH: fish.script,
    }[shell]
    typer.echo(script(positions.positions(everything(root))), nl=False)

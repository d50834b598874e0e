"""Writes what makes a shell complete the words of `postbell`: `python packaging/completion.py bash|zsh|fish`."""

from __future__ import annotations

import sys

from typer.completion import get_completion_script

if __name__ == "__main__":
    shell = sys.argv[1]
    print(get_completion_script(prog_name="postbell", complete_var="_POSTBELL_COMPLETE", shell=shell))  # noqa: T201

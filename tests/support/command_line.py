"""Every command of a command line, and running one in a fork: quick, and as any user."""

from __future__ import annotations

import os
import posix
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from bridge.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 20
"""A command that takes longer is ended, and has failed."""

EXAMPLES = {
    "NAME": "alice",
    "USER": "alice",
    "DEVICE": "phone",
    "USER/DEVICE": "alice/phone",
    "ADDR": "bob@example.org",
    "FILE.eml": "-",
    "FILE": "some.tar",
    "FILE|DIR": "some-folder",
    "ID": "00t64ks8n",
    "BYTES": "192",
}
"""What may stand for an argument that a command cannot do without, by what its help calls it."""
FURTHER: dict[tuple[str, ...], list[str]] = {
    ("user", "change"): ["--address", "bob@example.org"],
    ("bench",): ["--mails", "10"],
}
"""Options that look as if a command could do without."""


def commands(group: Any = None, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, as its words and itself."""
    group = group or typer.main.get_command(main.app)
    for name, command in group.commands.items():
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


def example(words: Sequence[str], command: Any) -> list[str]:
    """A command with what it cannot do without."""
    if words[-1] in {"watch", "read"}:
        return [*words, "alice/phone", *(["00t64ks8n"] if words[-1] == "read" else [])]
    given = list(words)
    for parameter in command.params:
        if parameter.required:
            option = [parameter.opts[-1]] if parameter.param_type_name == "option" else []
            choices = [choice.value for choice in parameter.type_descriptor.choices or ()]
            given += [*option, EXAMPLES.get(parameter.metavar, "x") if not choices else choices[0]]
    return given + FURTHER.get(tuple(words), [])


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and all that it said."""

    code: int
    said: str


def forked(
    words: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    uid: int | None = None,
    program: Callable[[], int] = main.run,
) -> Ended:
    """Run `postbell …` in a fork of this process with just this environment, as another user if one is given.

    `program` is another one of ours, which is given the words.
    """
    output = directory / "said.txt"
    output.write_text("")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _run(program, words, directory=directory, environment=environment, uid=uid, writing=writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    code = int(told) if told else os.waitstatus_to_exitcode(status)
    return Ended(code, output.read_text())


def _run(
    program: Callable[[], int],
    words: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    uid: int | None,
    writing: int,
) -> None:
    """In the child: never returns. It ends by a signal, so that nothing of the test's own is done once more."""
    code = 99
    try:
        said = os.open(directory / "said.txt", os.O_WRONLY)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        os.set_inheritable(writing, False)
        signal.alarm(PATIENCE_S)
        if uid is not None:
            os.execve = posix.execve  # not coverage's: that user may write no measurement where this one keeps them
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        sys.argv = ["postbell", *words]
        code = program()
        sys.stderr.flush()
    finally:
        os.write(writing, str(code).encode())
        os.kill(os.getpid(), signal.SIGKILL)

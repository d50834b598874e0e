"""`postbell doctor`: what is broken on the way of a mail, and what cures it."""

from __future__ import annotations

import os
import signal
import time
from itertools import groupby
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bridge.cli import options, output
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown, warned
from bridge.doctor.probe.names import DEVICE, USERS
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bridge.config.problems import Problem
    from bridge.doctor.probe.probed import Probing

SIGNS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "bright_black")}
WIDTH: Final = 26


def doctor(
    context: typer.Context,
    config: options.Config = None,
    as_json: options.AsJson = False,
    look_only: Annotated[
        bool, typer.Option("--look-only", help="Send no probe mail and make no throw-away accounts.")
    ] = False,
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"The password by which another broker knows {USERS[0]}.{DEVICE} and {USERS[1]}.{DEVICE}.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show each check, also what is fine.")] = False,
) -> None:
    """Look at every hop of a mail's way, from the mail server to a device, and name what is broken with its cure."""
    from bridge.doctor.probe.probed import Probing  # noqa: PLC0415 - all that looks and probes: help does without

    signal.signal(signal.SIGTERM, _ended)  # like Ctrl-C: what was made is put away on the way out
    probing = None if look_only else Probing(_secret(password_file))
    found: list[Finding] = []
    for hop, findings in groupby(_findings(context, config, probing), key=lambda finding: finding.check.hop):
        answers = list(findings)
        found += answers
        if not as_json:
            show(hop, answers, verbose=verbose)
    if as_json:
        output.print_json([as_object(finding) for finding in found])
    else:
        typer.echo(summary(found))
    if code := exit_code(found):
        raise typer.Exit(code)


def _ended(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _secret(file: Path | None) -> str:
    try:
        return "" if file is None else file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", "") or "it is not a text"
        raise typer.BadParameter(f"{file}: {told}", param_hint="--password-file") from error


def _findings(context: typer.Context, config: Path | None, probing: Probing | None) -> Iterator[Finding]:
    from bridge.doctor.look import configuration  # noqa: PLC0415 - as above
    from bridge.doctor.rounds import Round  # noqa: PLC0415

    chosen = options.chosen(context, config)
    try:
        seen = configuration.look(chosen)
    except PostbellError as error:
        yield broken(Check.CONFIGURATION, str(error), "mend it, then ask again: nothing else can be looked at before")
        return
    yield from (warned(Check.CONFIGURATION, told(problem), problem.cure) for problem in seen.strangers)
    if seen.problems:
        yield from (broken(Check.CONFIGURATION, told(problem), problem.cure) for problem in seen.problems)
        return
    if seen.silent:
        yield unknown(Check.CONFIGURATION, seen.silent)
    elif not seen.strangers:
        yield fine(Check.CONFIGURATION)
    yield from Round(
        seen.settings,
        configuration=seen.path,
        now_ms=lambda: time.time_ns() // 1_000_000,
        monotonic=time.monotonic,
        named=chosen,
        probing=probing,
    ).findings()


def told(problem: Problem) -> str:
    """Where a mistake is, and what it is."""
    value = f" = {problem.value}" if problem.value else ""
    key = f"{problem.key}{value}: " if problem.key else ""
    return f"{problem.place}: {key}{problem.problem}"


def as_object(finding: Finding) -> dict[str, Any]:
    """A finding for programs."""
    return {
        "check": str(finding.check),
        "ok": finding.ok,
        "problem": finding.problem,
        "cure": finding.cure,
    }


def exit_code(found: Iterable[Finding]) -> int:
    """0 when nothing is broken, 1 when something is, 2 when that is the configuration."""
    bad = {finding.check for finding in found if finding.ok is False}
    return 2 if Check.CONFIGURATION in bad else int(bool(bad))


def summary(found: Sequence[Finding]) -> str:
    """The last line."""
    bad = len({finding.check for finding in found if finding.ok is False})
    good = len({finding.check for finding in found if finding.ok})
    told = f"{bad} broken, {good} fine" if bad else f"nothing is broken, {good} checks are fine"
    more = len({finding.check for finding in found if finding.ok is None})
    return f"{told}; {more} do not apply here or cannot be known (--verbose shows them)" if more else told


def show(hop: str, findings: Sequence[Finding], *, verbose: bool) -> None:
    """A hop in one line if it is fine, with each thing that is broken and its cure below."""
    typer.echo("\n".join(_lines(hop, findings, verbose=verbose)))


def _lines(hop: str, findings: Sequence[Finding], *, verbose: bool) -> Iterator[str]:
    answers = {finding.ok for finding in findings}
    ok = False if False in answers else (True if True in answers else None)
    reason = findings[0].problem if ok is None and not verbose else ""
    yield f"{sign(ok)} {hop:{WIDTH if reason else 0}}{reason}".rstrip()
    for finding in findings:
        if verbose or finding.ok is False or (finding.ok and finding.cure):
            yield f"  {sign(finding.ok)} {finding.check:{WIDTH}}{finding.problem}".rstrip()
            if finding.cure:
                yield f"    {'':{WIDTH}}→ {finding.cure}"


def sign(ok: bool | None) -> str:  # noqa: FBT001 - the one thing it is about
    """✓, ✗ or –, in colour on a terminal (https://no-color.org)."""
    character, colour = SIGNS[ok]
    return character if os.environ.get("NO_COLOR") else typer.style(character, fg=colour)

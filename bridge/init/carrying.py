"""Carrying a plan out: what is there already stays, what is missing is made, and each step is told."""

from __future__ import annotations

import grp
import pwd
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError, PostbellError
from bridge.init import certificates, disk
from bridge.init.certificates import Papers
from bridge.init.plan import Account, Authority, Command, Copies, Folder, Membership, TextFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bridge.init.plan import Plan, Step

PATIENCE_S = 60
_NOLOGIN = "/usr/sbin/nologin"


class StepError(PostbellError):
    """A step that could not be done; what was done before it stays, and is found when it is tried again."""


class Outcome(StrEnum):
    """What became of a step."""

    THERE = "there already"
    MADE = "made"
    REPLACED = "replaced"
    DONE = "done"
    LEFT = "to be done by hand"
    AHEAD = "to be made"
    RUN = "to be run"


@dataclass(frozen=True, slots=True)
class Done:
    """One step, and what became of it; `remark` is more that people should know."""

    step: Step
    outcome: Outcome
    remark: str = ""


def mistakes(plan: Plan, *, force: bool, now: datetime) -> Iterator[str]:
    """What would stop the plan or be lost by it, before anything is done."""
    for step in plan.steps:
        if isinstance(step, Copies):
            yield from certificates.mistakes(Path(step.certificate), Path(step.key), host=step.host, now=now)
        if isinstance(step, Authority) and not force:
            papers = Papers.within(Path(step.folder))
            if papers.chain.exists() and not papers.is_local():
                yield (
                    f"{papers.chain}: a certificate from elsewhere; keep it with --tls files or --tls letsencrypt, "
                    "or have it replaced by one of a local CA with --force"
                )
    differing = []
    for file in plan.files if not force else ():
        try:
            if _read(Path(file.path)) not in {None, file.text}:
                differing.append(str(file.path))
        except ConfigurationError as error:
            yield str(error)
    if differing:
        yield (
            f"{differing[0]}: there already, and not as these answers make it"
            + (f" (as well: {', '.join(differing[1:])})" if differing[1:] else "")
            + "; see what would be written with --dry-run; edit it by hand, or have it replaced with --force, "
            "which keeps the old one beside it"
        )


def ahead(plan: Plan) -> Iterator[Done]:
    """What would become of each step; nothing is done. Of some only the doing shows whether they are there already."""
    for step in plan.steps:
        match step:
            case TextFile():
                before = _read(Path(step.path))
                differs = "there already, and it differs: only with --force"
                there = before is not None and before != step.text
                yield Done(step, Outcome.THERE if before == step.text else Outcome.AHEAD, differs if there else "")
            case Folder():
                yield Done(step, Outcome.THERE if Path(step.path).is_dir() else Outcome.AHEAD)
            case Command():
                yield Done(step, Outcome.RUN)
            case _:
                yield Done(step, Outcome.AHEAD)


def carry_out(plan: Plan, *, now: Callable[[], datetime]) -> Iterator[Done]:
    """Do what is left of a plan, step by step; raises StepError, or ConfigurationError for what `mistakes` tells."""
    for step in plan.steps:
        try:
            yield _do(step, now=now)
        except OSError as error:
            where = error.filename or step
            raise StepError(f"{where}: {error.strerror or error}; mend it, and run the same command again") from error


def _do(step: Step, *, now: Callable[[], datetime]) -> Done:
    match step:
        case Account():
            return _account(step)
        case Membership():
            return _membership(step)
        case TextFile():
            return _file(step)
        case Command():
            return _command(step)
        case _:
            return Done(step, Outcome.MADE if _made(step, now=now) else Outcome.THERE)


def _made(step: Folder | Authority | Copies, *, now: Callable[[], datetime]) -> bool:
    """Whether anything had to be made."""
    if isinstance(step, Folder):
        return disk.make_folder(Path(step.path), step.mode, user=step.user, group=step.group)
    papers = Papers.within(Path(step.folder))
    if isinstance(step, Authority):
        return certificates.ensure(papers, step.names, group=step.group, now=now())
    chain, key = Path(step.certificate), Path(step.key)
    return certificates.install(papers, chain, key, host=step.host, group=step.group, now=now())


def _account(step: Account) -> Done:
    if has_account(step.name):
        return Done(step, Outcome.THERE)
    _required(
        "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(step.home), "--shell", _NOLOGIN,
        step.name,
    )  # fmt: skip
    return Done(step, Outcome.MADE)


def _membership(step: Membership) -> Done:
    try:
        group = grp.getgrnam(step.group)
    except KeyError:
        return Done(step, Outcome.LEFT, f"there is no group {step.group}: install the mail server, and run this again")
    if step.user in group.gr_mem or pwd.getpwnam(step.user).pw_gid == group.gr_gid:
        return Done(step, Outcome.THERE)
    _required("usermod", "--append", "--groups", step.group, step.user)
    return Done(step, Outcome.MADE)


def _file(step: TextFile) -> Done:
    path = Path(step.path)
    before = _read(path)
    if before == step.text:
        return Done(step, Outcome.THERE)
    aside = disk.put_aside(path) if before is not None else None
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.write(disk.Content(path, step.text.encode(), step.mode))
    return Done(step, Outcome.REPLACED, f"the old one is {aside}") if aside else Done(step, Outcome.MADE)


def _command(step: Command) -> Done:
    problem = _run(*step.words)
    if not problem:
        return Done(step, Outcome.DONE)
    if step.required:
        raise StepError(f"{step}: {problem}")
    return Done(step, Outcome.LEFT, problem)


def _required(*words: str) -> None:
    if problem := _run(*words):
        raise StepError(f"{' '.join(words)}: {problem}; do it by hand, and run the same command again")


def _run(*words: str) -> str:
    """Run a program to its end, out of the reach of Ctrl-C; what is wrong, or nothing."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, words of our own
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        return "there is no such program"
    except subprocess.TimeoutExpired:
        return f"did not end within {PATIENCE_S} seconds"
    return "" if done.returncode == 0 else (done.stderr.strip() or f"ended with {done.returncode}")


def has_account(name: str) -> bool:
    """Whether there is a system user of this name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _read(path: Path) -> str | None:
    """What a file says; None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error}; move it away, or name another with --config"
        ) from error

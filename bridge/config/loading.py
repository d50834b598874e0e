"""Loading the configuration: one TOML file, every key overridable as POSTBELL_SECTION__KEY.

`load` finds the file, merges the environment over it and returns frozen settings, or raises a
ConfigurationError whose text names file, line, key, value, and what to do, of every mistake in the text at once.
What else can be wrong, in the broker's part and on this system, is told by `judging.judge`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config import checking, source
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.config.checking import Checked
    from bridge.config.settings import Settings

FILE_NAME = "postbell.toml"
_PLACES = (Path(FILE_NAME), Path("/etc/postbell") / FILE_NAME)


def find(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file to use, or None for defaults; an explicit one must exist."""
    named = explicit or (Path(environ["POSTBELL_CONFIG"]) if environ.get("POSTBELL_CONFIG") else None)
    if named is not None:
        if not _is_file(named):
            what = "this is a directory; name the file" if named.is_dir() else "no such file; create it or name another"
            raise ConfigurationError(f"{named}: {what} with --config")
        return named
    return next((place for place in _places(environ) if _is_file(place, passed_by=place != _PLACES[-1])), None)


def _places(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where it is looked for: here, at this user's own place (XDG Base Directory Specification), at the system's."""
    here, systems = _PLACES
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    return (here, Path(home) / "postbell" / FILE_NAME, systems) if home else (here, systems)


def _is_file(place: Path, *, passed_by: bool = False) -> bool:
    """Whether there is a file; raises ConfigurationError where this user may not look, unless that is passed by.

    A working directory or a home that may not be entered is: who becomes another user may stand in any.
    """
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if passed_by:
            return False
        raise ConfigurationError(f"{place}: {error.strerror}; name another with --config") from error


def check(explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Checked:
    """What is right and wrong with the text of file and environment; raises ConfigurationError without a file."""
    return checking.check(source.read(find(explicit, environ), environ, checking.known()))


def load(explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from file and environment; raises ConfigurationError."""
    checked = check(explicit, environ=environ)
    if checked.problems:
        raise ConfigurationError("\n".join(str(problem) for problem in checked.problems))
    return checked.settings


def place_of(key: Sequence[int | str], path: Path | None, *, environ: Mapping[str, str] = os.environ) -> str:
    """Where a key has its value from: the variable that overrides it, else the file, else "defaults"."""
    return source.variable_in(tuple(key), environ) or str(path or "defaults")

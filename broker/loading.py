"""Loading the broker's part of the configuration, and what is wrong with it.

Same places as the bridge: the file that is named, else $POSTBELL_CONFIG, else ./postbell.toml, else
$XDG_CONFIG_HOME/postbell/postbell.toml (~/.config), else /etc/postbell/postbell.toml, else defaults; every key
overridable as POSTBELL_SECTION__KEY.
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.errors import ConfigurationError
from broker.problems import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.settings import Settings

_PREFIX = "POSTBELL_"
_PLACES = (Path("postbell.toml"), Path("/etc/postbell/postbell.toml"))


def load(explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from file and environment. Raises ConfigurationError, which has every mistake."""
    path = _find(explicit, environ)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{path}: cannot be read as TOML: {error}") from error
    settings, problems = judge(overridden(values, environ))
    if settings is None or problems:
        raise ConfigurationError("\n".join(f"{_place(problem.key, path, environ)}: {problem}" for problem in problems))
    return settings


def overridden(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """What the file says, with POSTBELL_SECTION__KEY and POSTBELL_KEY over it. Pure."""
    merged = dict(values)
    for variable in (each for each in environ if each.startswith(_PREFIX)):
        section, nested, key = variable.removeprefix(_PREFIX).lower().partition("__")
        there = merged.get(section, {})
        if not nested:
            merged[section] = environ[variable]
        elif isinstance(there, dict):
            merged[section] = {**there, key: environ[variable]}
    return merged


def _find(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = explicit or (Path(environ["POSTBELL_CONFIG"]) if environ.get("POSTBELL_CONFIG") else None)
    if named is None:
        return next((place for place in _places(environ) if _is_file(place, passed_by=place != _PLACES[-1])), None)
    if not _is_file(named):
        raise ConfigurationError(f"{named}: no such file; create it or name another with --config")
    return named


def _places(environ: Mapping[str, str]) -> tuple[Path, ...]:
    here, systems = _PLACES
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    return (here, Path(home) / "postbell" / "postbell.toml", systems) if home else (here, systems)


def _is_file(place: Path, *, passed_by: bool = False) -> bool:
    """Whether there is a file. In a working directory or a home that may not be entered there is none: passed by."""
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if passed_by:
            return False
        raise ConfigurationError(f"{place}: {error.strerror}; name another with --config") from error


def _place(key: str, path: Path | None, environ: Mapping[str, str]) -> str:
    variable = "POSTBELL_" + key.replace(".", "__").upper()
    return variable if variable in environ else str(path or "defaults")

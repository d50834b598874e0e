"""Loading the configuration: one TOML file, every key overridable as POSTBELL_SECTION__KEY.

`load` finds the file, merges the environment over it and returns frozen settings, or raises a
ConfigurationError whose text names file, key, value, and what to do.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from bridge.config.settings import Settings
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FILE_NAME = "postbell.toml"
PREFIX = "POSTBELL_"
_PLACES = (Path(FILE_NAME), Path("/etc/postbell") / FILE_NAME)
_LOGIN_IN_URL = re.compile(r"//[^/@\s]*@")
_UNKNOWN = "extra_forbidden"

Problem = tuple[tuple[int | str, ...], str, Any, str]
"""What is wrong with the configuration: where, the kind, the value, and what to write instead."""

BROKERS_KEYS = {
    "broker": frozenset(
        {
            "tls_listen",
            "secure_websocket",
            "tls_cert",
            "tls_key",
            "tls_client_ca",
            "insecure",
            "session_days",
        }
    ),
    "limits": frozenset(
        {
            "packet",
            "clients",
            "clients_per_address",
            "connect_timeout",
            "login_failures",
            "queue",
            "queue_bytes",
            "inflight",
            "subscriptions",
            "publish_rate",
            "write_buffer",
            "stall_timeout",
        }
    ),
}
"""Keys that the broker alone reads, in the sections that both read (broker/settings.py)."""

_SECTIONS = {name for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)}
_NO_SECTION = f"no such section or key; there are {', '.join(sorted(Settings.model_fields))}"


def find(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file to use, or None for defaults; an explicit one must exist."""
    named = explicit or (Path(environ["POSTBELL_CONFIG"]) if environ.get("POSTBELL_CONFIG") else None)
    if named is not None:
        if not _is_file(named):
            raise ConfigurationError(f"{named}: no such file; create it or name another with --config")
        return named
    return next((place for place in _PLACES if _is_file(place)), None)


def _is_file(place: Path) -> bool:
    """Whether there is a file; raises ConfigurationError where this user may not look.

    A working directory that may not be entered is passed by: who becomes another user may stand in any.
    """
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if place == _PLACES[0]:
            return False
        raise ConfigurationError(f"{place}: {error.strerror}; name another with --config") from error


def load(explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from file and environment; raises ConfigurationError."""
    path = find(explicit, environ)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{path}: cannot be read as TOML: {error}") from error
    unknown = sorted(values.keys() - Settings.model_fields.keys())
    if unknown:
        raise ConfigurationError(f"{path}: {unknown[0]}: {_NO_SECTION}")
    _override(values, environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems = [(problem["loc"], problem["type"], problem["input"], problem["msg"]) for problem in error.errors()]
        raise ConfigurationError(_explain(problems, path, environ)) from error
    problems = list(_nobodys_keys(settings)) or list(_unreachable_broker(settings))
    if problems:
        raise ConfigurationError(_explain(problems, path, environ))
    return settings


def place_of(key: Sequence[int | str], path: Path | None, *, environ: Mapping[str, str] = os.environ) -> str:
    """Where a key has its value from: the variable that overrides it, else the file, else "defaults"."""
    variable = PREFIX + "__".join(str(part) for part in key[:2]).upper()
    return variable if variable in environ else str(path or "defaults")


def _override(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put POSTBELL_SECTION__KEY and POSTBELL_KEY over what the file says."""
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        section, nested, key = variable.removeprefix(PREFIX).lower().partition("__")
        if section not in Settings.model_fields:
            if nested:
                raise ConfigurationError(f"{variable}: {section}: {_NO_SECTION}")
        elif nested:
            values[section] = {**there, key: value} if isinstance(there := values.get(section, {}), dict) else there
        elif section in _SECTIONS:
            raise ConfigurationError(f"{variable} = {value!r}: a section; write {PREFIX}{section.upper()}__KEY")
        else:
            values[section] = value


def _nobodys_keys(settings: Settings) -> Iterator[Problem]:
    """Keys of the shared sections that neither the bridge nor the broker knows."""
    for name, theirs in BROKERS_KEYS.items():
        for key, value in (getattr(settings, name).model_extra or {}).items():
            if key not in theirs:
                yield (name, key), _UNKNOWN, value, ""


def _unreachable_broker(settings: Settings) -> Iterator[Problem]:
    """A bridge has to reach its broker: the embedded one over TCP, or another by its URL."""
    if settings.mqtt.url:
        return
    if not settings.broker.embedded:
        yield ("mqtt", "url"), "", "", "with broker.embedded = false, write where the broker is, as mqtt://host:port"
    elif not settings.broker.listen:
        yield ("broker", "listen"), "", "", "the bridge itself comes this way: write host:port, as 127.0.0.1:1883"


def _explain(problems: Iterable[Problem], path: Path | None, environ: Mapping[str, str]) -> str:
    lines = []
    for where, kind, value, message in problems:
        key = ".".join(str(part) for part in where)
        place = place_of(where, path, environ=environ)
        if kind == _UNKNOWN:
            lines.append(f"{place}: {key}: no such key; remove it or mend its spelling")
        else:
            shown = _LOGIN_IN_URL.sub("//***@", repr(value))
            lines.append(f"{place}: {key} = {shown}: {message.removeprefix('Value error, ')}")
    return "\n".join(lines)

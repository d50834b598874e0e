"""What differs between two configurations, and what a process that runs makes of the newer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Changes:
    """Dotted keys: those of `changed` hold from now on, those of `needs_restart` do not. `settings` is what holds."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    settings: Settings


def between(now: Settings, wanted: Settings, *, live: Collection[str]) -> Changes:
    """What becomes of a process with the settings `now`, when `wanted` come: keys that are not `live` stay."""
    before, after = _flat(now), _flat(wanted)
    different = [key for key, value in after.items() if value != before[key]]
    staying = [key for key in different if key not in live]
    return Changes(
        changed=tuple(key for key in different if key in live),
        needs_restart=tuple(staying),
        settings=_with(wanted, {key: before[key] for key in staying}),
    )


def _flat(settings: Settings) -> dict[str, Any]:
    """The bridge's own keys with their values; the broker has its own process, and looks after its own."""
    flat: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            flat |= {f"{name}.{key}": getattr(value, key) for key in type(value).model_fields}
        else:
            flat[name] = value
    return flat


def _with(settings: Settings, values: dict[str, Any]) -> Settings:
    for key, value in values.items():
        name, _, inner = key.partition(".")
        if inner:
            value = getattr(settings, name).model_copy(update={inner: value})  # noqa: PLW2901 - the section around it
        settings = settings.model_copy(update={name: value})
    return settings

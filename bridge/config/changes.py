"""What differs between two configurations, and what a process that runs makes of the newer one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.config.section import Section, values

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
    for name, value in values(settings).items():
        if isinstance(value, Section):
            flat |= {f"{name}.{key}": inner for key, inner in values(value).items()}
        else:
            flat[name] = value
    return flat


def _with(settings: Settings, values: dict[str, Any]) -> Settings:
    for key, value in values.items():
        name, _, inner = key.partition(".")
        if inner:
            value = replace(getattr(settings, name), **{inner: value})  # noqa: PLW2901 - the section around it
        settings = replace(settings, **{name: value})
    return settings

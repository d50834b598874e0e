"""Writes docs/configuration.md and docs/examples/postbell.toml: `python -m tests.support.reference`, or `make map`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.config import keys, sample
from tests.support import source

if TYPE_CHECKING:
    from bridge.config.keys import Chapter, Key

PAGE = source.ROOT / "docs" / "configuration.md"
SAMPLE = source.ROOT / "docs" / "examples" / "postbell.toml"
_INTRODUCTION = """\
# Configuration: every key

Written by `make map` from the sections in `bridge/config/sections.py` and `broker/settings.py`: change it there.

Postbell reads one TOML file: the one that `--config` names, else the one in `$POSTBELL_CONFIG`, else `postbell.toml` in
the working directory, else `~/.config/postbell/postbell.toml`, else `/etc/postbell/postbell.toml`; without any, all has
its default. A variable of the environment goes before the file: `POSTBELL_SMTP__LISTEN` for `listen` in `[smtp]`,
`POSTBELL_STATE_DIR` for a key at the top. [A sample file](examples/postbell.toml) has every key as a comment.

- `postbell config check` tells all that is wrong, each with its line, also what only this machine knows: files that
  cannot be read, groups that are missing, ports that somebody else has. It ends with 2 if there is anything.
- `postbell config show` prints what differs from the defaults, `postbell config show --all` everything, with the
  place that each value is from.

## How values are written

| type | |
|---|---|
"""


def page() -> str:
    """The text of docs/configuration.md as the settings have it."""
    forms = [f"| {name} | {form} |\n" for name, form in keys.KINDS.items()]
    return _INTRODUCTION + "".join(forms) + "".join(_chapter(chapter) for chapter in keys.chapters())


def _chapter(chapter: Chapter) -> str:
    title = f"`[{chapter.name}]`" if chapter.name else "At the top"
    lines = [
        f"\n## {title}\n",
        f"{chapter.meaning}\n",
        "| key | type | default | bounds | meaning |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(key) for key in chapter.keys), ""])


def _row(key: Key) -> str:
    default = f"`{key.toml(key.default)}`"
    if key.name == "state_dir":
        default = f"`{key.toml(sample.STATE_DIR)}` for root, else `~/.local/state/postbell`"
    kind = key.kind if key.kind in keys.KINDS else f"`{key.kind}`".replace(", ", "`, `").replace(" or ", "` or `")
    return f"| `{key.last}` | {kind} | {default} | {key.bounds} | {key.meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    SAMPLE.write_text(sample.sample(keys.chapters()), "utf-8")

"""The lines of a page, as somebody types them who read it: those of a section, with what they leave open filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Block:
    """A block between fences: the language that is named there, and its text."""

    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Its commands, one that goes on behind a backslash being one; without prompts and without what is printed."""
        whole = self.text.replace("\\\n", " ")
        return [" ".join(line.split("#  ")[0].split()) for line in whole.splitlines() if line.strip()]


def blocks(page: str, heading: str) -> list[Block]:
    """The blocks of the section below a heading, without those of its neighbours."""
    text = (ROOT / page).read_text(encoding="utf-8")
    level = heading.partition(" ")[0]
    begin = text.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{len(level)}}} ", text[begin:], flags=re.MULTILINE)
    section = text[begin : begin + end.start()] if end else text[begin:]
    return [
        Block(language, body)
        for language, body in re.findall(r"^```(\w*)\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)
    ]


def commands(page: str, heading: str) -> list[str]:
    """The commands of a section in their order."""
    return [line for block in blocks(page, heading) if block.language in {"", "sh"} for line in block.lines]


def filled(line: str, *, source: str) -> str:
    """A line with what it leaves to its reader: where the sources are."""
    return line.replace("git clone …", f"git clone -q {source}")

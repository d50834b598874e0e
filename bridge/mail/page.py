"""The visible text of a page by a parser in Python alone, for platforms that resiliparse has no wheel for.

It reads what resiliparse reads, in the same form: a block stands on lines of its own, a paragraph has a blank line
before and behind it, a cell of a row is behind tabs. It takes four to ten times as long, and is as bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from justhtml import JustHTML, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from justhtml import NodeType

LONGEST = 32_768
"""Characters of markup that are read at most: a third of a second on a small machine, at the worst that was found."""

_SILENT = frozenset({
    "#comment", "!doctype", "area", "button", "datalist", "frameset", "head", "iframe", "label",
    "noframes", "progress", "script", "select", "style", "template", "textarea", "title",
})  # fmt: skip
"""What says nothing: programs and forms."""
_SHOWN = frozenset({"audio", "object", "svg", "video"})
"""What is seen and heard, and says as much as a picture."""
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "legend", "li", "main", "menu",
    "nav", "ol", "plaintext", "pre", "search", "section", "table", "tbody", "tfoot", "thead", "tr", "ul", "xmp",
})  # fmt: skip
_VERBATIM = frozenset({"pre", "listing", "plaintext", "xmp"})
_BLANKS = re.compile(r"[ \t\n\r\f]+")


def extract_plain_text(markup: str, *, alt_texts: bool, skip_elements: Sequence[str], **_fixed: bool) -> str:
    """The text of a page in lines, as resiliparse's function of this name gives it with formatting preserved.

    `skip_elements` are CSS selectors of what is left out; with `alt_texts` a picture says what stands for it.
    """
    root = JustHTML(markup[:LONGEST], sanitize=False, scripting_enabled=False).root
    skipped = {id(node) for node in root.query(", ".join(skip_elements))} if skip_elements else set()
    silent = _SILENT if alt_texts else _SILENT | _SHOWN
    lines = _Lines()
    path: list[tuple[NodeType, bool]] = [(root, False)]  # with whether what is behind an element has still to be done
    while path:
        node, entered = path.pop()
        if entered:
            lines.leave(node.name)
        elif node.name == "#text":
            lines.say(str(node.data or ""))
        elif node.name == "img" and alt_texts:
            lines.say(_stands_for(node))
        elif node.name not in silent and id(node) not in skipped:
            lines.enter(node.name)
            path.append((node, True))
            path.extend((child, False) for child in reversed(node.children or ()))
    return lines.text()


class _Lines:
    """Text as it comes, and how many ends of lines have to stand before the next word."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._owed = 0
        self._gap = ""
        self._verbatim = 0

    def enter(self, name: str) -> None:
        """An element begins."""
        self._verbatim += name in _VERBATIM
        if name == "br":
            self._break_line()
        elif name == "tr":
            self._owe(1)
        elif name in {"td", "th"}:
            if not self._owed and self._said:
                self._gap = "\t\t"
        else:
            self._owe(_margin(name))

    def leave(self, name: str) -> None:
        """An element ends."""
        self._verbatim -= name in _VERBATIM
        self._owe(_margin(name))

    def say(self, data: str) -> None:
        """A piece of text: blanks are one space, and none where a line begins."""
        if self._verbatim:
            self._put(data)
            return
        words = _BLANKS.sub(" ", data)
        if words[:1] == " " and not self._gap:
            self._gap = " "
        if said := words.strip(" "):
            self._put(said)
            self._gap = " " if words.endswith(" ") else ""

    def text(self) -> str:
        """All that was said."""
        return "".join(self._said)

    def _put(self, said: str) -> None:
        if self._said:
            self._said.append("\n" * self._owed or self._gap)
        self._said.append(said)
        self._owed, self._gap = 0, ""

    def _owe(self, ends: int) -> None:
        if ends:
            self._owed, self._gap = max(self._owed, ends), ""

    def _break_line(self) -> None:
        self._owed, self._gap = self._owed + 1, ""


def _stands_for(picture: NodeType) -> str:
    return "" if isinstance(picture, Text) else str((picture.attrs or {}).get("alt") or "")


def _margin(name: str) -> int:
    return 2 if name in _PARAGRAPHS else int(name in _BLOCKS)

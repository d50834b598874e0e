"""HTML to readable lines of text, bounded in time and memory whatever the markup.

resiliparse is linear on everything that was tried but one thing: it indents nested list items, so
that the text of `<ul><li>` in thousands of levels is quadratic in size. Lists are therefore turned
into plain blocks with bullets first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.mail import charsets

if TYPE_CHECKING:
    from collections.abc import Callable

extract_plain_text: Callable[..., str]
try:
    from resiliparse.extract.html2text import extract_plain_text
except ImportError:  # no wheel for this platform
    from bridge.mail.page import extract_plain_text

LONGEST = 65_536
"""Characters of markup that are read for a snippet."""

_QUOTES = ("blockquote[type=cite]", ".gmail_quote", ".moz-cite-prefix", ".yahoo_quoted", "#divRplyFwdMsg")
"""What mail programs put around the message that is answered."""
_QUOTING = re.compile("blockquote|gmail_quote|moz-cite-prefix|yahoo_quoted|divRplyFwdMsg", re.IGNORECASE)
_LIST = re.compile(r"(?:(?<=<)|(?<=</))(?:ul|ol|menu|dir)\b", re.IGNORECASE)
_ITEM = re.compile(r"<li\b", re.IGNORECASE)
_ITEM_END = re.compile(r"</li\b", re.IGNORECASE)
_BODY = re.compile(r"<body\b", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{1,200}charset\s{0,8}=[\s\"']{0,8}([\w.:-]{2,40})", re.IGNORECASE)
_PICTURE_TEXT = re.compile(r"\balt\s?=", re.IGNORECASE)
_SURROGATES = re.compile("[\ud800-\udfff]")


def decode(data: bytes, charset: str) -> str:
    """Markup as text, by the declared charset, else by the one it declares itself."""
    if not charset:
        declared = _META.search(data, 0, 2_048)
        charset = declared[1].decode("ascii", "replace") if declared else ""
    return charsets.decode(data, charset)


def own(markup: str) -> str:
    """The visible text of a page without the messages it quotes, or all of it when that is nothing."""
    said = _plain(markup, limit=LONGEST, skip=_QUOTES) if _QUOTING.search(markup) else ""
    return said if said.strip() else plain(markup)


def plain(markup: str, *, limit: int = LONGEST) -> str:
    """The visible text of a page in lines; at most `limit` characters from `<body` on are read.

    Links, scripts, styles and pictures are left out always. Never raises.
    """
    return _plain(markup, limit=limit, skip=())


def with_pictures(markup: str) -> str:
    """The visible text of a page and what its pictures say instead; "" when none of them says anything."""
    return _plain(markup, limit=LONGEST, skip=(), pictures=True) if _PICTURE_TEXT.search(markup) else ""


def _plain(markup: str, *, limit: int, skip: tuple[str, ...], pictures: bool = False) -> str:
    body = _BODY.search(markup)
    markup = markup[body.start() if body else 0 :][:limit]
    markup = _SURROGATES.sub("", markup).replace("\x00", "")
    markup = _LIST.sub("div", _ITEM_END.sub("</span", _ITEM.sub("<br>• <span", markup)))[:limit]
    extracted: str = extract_plain_text(
        markup, preserve_formatting=True, alt_texts=pictures, list_bullets=False, skip_elements=list(skip)
    )
    return extracted

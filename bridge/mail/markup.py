"""HTML to readable lines of text, bounded in time and memory whatever the markup.

resiliparse is linear on everything that was tried but one thing: it indents nested list items, so
that the text of `<ul><li>` in thousands of levels is quadratic in size. Lists are therefore turned
into plain blocks with bullets first.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from bridge.mail import charsets
from bridge.mail.quotes import lines

if TYPE_CHECKING:
    from collections.abc import Callable

extract_plain_text: Callable[..., str]
try:
    from resiliparse.extract.html2text import extract_plain_text
except ImportError:  # no wheel for this platform
    from bridge.mail.page import extract_plain_text

LONGEST = 65_536
"""Characters of markup that are read for a snippet."""

_QUOTING = re.compile(
    r"blockquote|gmail_|moz-|yahoo_quoted|protonmail_|divRplyFwdMsg|appendonsend|reference-message-container"
    r"|OLK_SRC_BODY_SECTION|stopSpelling|zwchr|__QUOTED_TEXT__|isReplyContent|tutanota_quote|zmail_extra"
    r"|mail-quote-collapse|messageReplySection|reply-intro|forwardbody|mobile-signature|AppleMailSignature|lineBreakAtBeginningOfSignature"
    r"|name\s?=\s?[\"']?quote|border-top:\s?solid|mailto:|<[\w.+-]{1,64}@",
    re.IGNORECASE,
)
"""Most pages have none of these, and are read as they are."""
_PLACE = re.compile(
    r"<(?!blockquote\b)[a-z]{1,10}\b(?=[^<>]{0,2000}(?:\bgmail_quote|\bgmail_attr\b|moz-cite-prefix|moz-forward-container"
    r"|yahoo_quoted|protonmail_quote|divRplyFwdMsg|[\"']appendonsend|reference-message-container|OLK_SRC_BODY_SECTION"
    r"|stopSpelling|[\"']zwchr|__QUOTED_TEXT__|isReplyContent|tutanota_quote|zmail_extra|mail-quote-collapse"
    r"|messageReplySection|reply-intro|[\"']forwardbody|name\s?=\s?[\"']?quote[\"'\s>]"
    r"|border-top:\s?solid #(?:E1E1E1|B5C4DF)))[^<>]{0,2000}>",
    re.IGNORECASE,
)
"""The tags behind which mail programs put the message that is answered or forwarded."""
_BLOCKQUOTE = re.compile(r"<(?P<end>/?)blockquote\b(?P<attributes>[^<>]{0,2000})>", re.IGNORECASE)
_CITES = re.compile(r"\bcite\b|_quote\b|isReplyContent|blockquote_zmail|reply", re.IGNORECASE)
_MAILTO = re.compile(
    r"(<a\s[^<>]{0,500}?\bhref\s?=\s?[\"']?mailto:([\w.+%=~-]{1,100}@[\w.-]{1,100})[^<>]{0,500}>)", re.IGNORECASE
)
_UNESCAPED = re.compile(r"<([\w.+=~-]{1,100}@[\w.-]{1,100})>")
"""An address that stands in a page as if it were a tag."""
_SIGNATURES = (
    ".gmail_signature",
    ".gmail_signature_prefix",
    ".moz-signature",
    ".protonmail_signature_block",
    "#ms-outlook-mobile-signature",
    "#AppleMailSignature",
)
"""What mail programs put around a signature."""
_LIST = re.compile(r"(?:(?<=<)|(?<=</))(?:ul|ol|menu|dir)\b", re.IGNORECASE)
_ITEM = re.compile(r"<li\b", re.IGNORECASE)
_ITEM_END = re.compile(r"</li\b", re.IGNORECASE)
_BODY = re.compile(r"<body\b", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{1,200}charset\s{0,8}=[\s\"']{0,8}([\w.:-]{2,40})", re.IGNORECASE)
_PICTURE_TEXT = re.compile(r"\balt\s?=", re.IGNORECASE)
_MARKS = re.compile(f"[{lines.MARKS}]")
_SIGNATURE = re.compile(r"<br\b[^<>]{0,100}lineBreakAtBeginningOfSignature[^<>]{0,100}>", re.IGNORECASE)
_MOST_MARKS = 200
"""Of a kind; a page with more is read to here as if the last went on."""
_SURROGATES = re.compile("[\ud800-\udfff]")


def decode(data: bytes, charset: str) -> str:
    """Markup as text, by the declared charset, else by the one it declares itself."""
    if not charset:
        declared = _META.search(data, 0, 2_048)
        charset = charsets.of_readable(declared[1].decode("ascii", "replace")) if declared else ""
    return charsets.decode(data, charset)


def own(markup: str) -> str:
    """The visible text of a page in lines, with marks where it says that a message is quoted, and without signatures.

    The marks are those of `bridge.mail.quotes.lines`. Behind a name that is linked to an address this stands as well.
    """
    if not _QUOTING.search(markup):
        return plain(markup)
    markup = _from_body(_MARKS.sub("", markup))[:LONGEST]
    markup = _MAILTO.sub(r"\1 &lt;mailto:\2&gt; ", _UNESCAPED.sub(r"&lt;\1&gt;", markup))
    markup = _PLACE.sub(f"<div>{lines.HERE}</div>\\g<0>", markup, count=_MOST_MARKS)
    markup = _BLOCKQUOTE.sub(_marked, markup, count=_MOST_MARKS)
    markup = _SIGNATURE.sub(f"<div>{lines.SIGNED}</div>", markup, count=1)
    said = _plain(markup, limit=LONGEST, skip=_SIGNATURES)
    return said if said.strip() else plain(markup)


def tells_quotes(markup: str) -> bool:
    """Whether a page says in its markup where it quotes a message."""
    return _PLACE.search(markup) is not None or any(
        _CITES.search(quote["attributes"]) for quote in islice(_BLOCKQUOTE.finditer(markup), _MOST_MARKS)
    )


def _marked(tag: re.Match[str]) -> str:
    if tag["end"]:
        return f"<div>{lines.END}</div>{tag[0]}"
    return f"{tag[0]}<div>{lines.BEGIN if _CITES.search(tag['attributes']) else lines.LOOSE}</div>"


def plain(markup: str, *, limit: int = LONGEST) -> str:
    """The visible text of a page in lines; at most `limit` characters from `<body` on are read.

    Links, scripts, styles and pictures are left out always. Never raises.
    """
    return _plain(markup, limit=limit, skip=())


def with_pictures(markup: str) -> str:
    """The visible text of a page and what its pictures say instead; "" when none of them says anything."""
    return _plain(markup, limit=LONGEST, skip=(), pictures=True) if _PICTURE_TEXT.search(markup) else ""


def _from_body(markup: str) -> str:
    body = _BODY.search(markup)
    return markup[body.start() :] if body else markup


def _plain(markup: str, *, limit: int, skip: tuple[str, ...], pictures: bool = False) -> str:
    markup = _from_body(markup)[:limit]
    markup = _SURROGATES.sub("", markup).replace("\x00", "")
    markup = _LIST.sub("div", _ITEM_END.sub("</span", _ITEM.sub("<br>• <span", markup)))[:limit]
    extracted: str = extract_plain_text(
        markup, preserve_formatting=True, alt_texts=pictures, list_bullets=False, skip_elements=list(skip)
    )
    return extracted

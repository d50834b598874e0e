"""Plain text that is really markup: a page, text with entities of HTML in it, or text below rules of CSS.

Programs make such parts when they fill both alternatives from one template. Who writes about markup does not begin
with it: a page is known by the tag that it begins with, once comments are passed over, and by the others that follow.
"""

from __future__ import annotations

import html
import re

from bridge.mail import markup, plain

_LONGEST = 49_152
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|button|center|code|div|em|font|footer|form|h[1-6]|head|header|hr|html|i|img"
    "|input|label|li|link|main|meta|nav|o:p|ol|p|pre|s|section|small|span|strike|strong|style|sub|sup|svg|table|tbody|td"
    "|tfoot|th|thead|title|tr|tt|u|ul|xml"
)
_BEGINS = re.compile(rf"[\s\ufeff\u200b]*+<(!doctype\b|\?xml\b|(?:{_TAGS})(?=[\s/>]))", re.IGNORECASE)
_DOCUMENT = re.compile(r"<(?:!doctype html|html|body|/body|/html)\b", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,2000}})?\s?/?>", re.IGNORECASE)
_PATCH = re.compile(r"^(?:[+-]{3} |@@ |diff |```)", re.MULTILINE)
_FEW_TAGS, _PAIR = 3, 2
_MOST_TAGS = 400
_DENSE = 25
"""In a hundred characters: of a text with more tags than that nobody was the writer."""
_ENTITY = re.compile(
    r"(?<![\"'`\u201c\u201e\u2018])&(?:nbsp|zwnj|zwj|shy|ensp|emsp|thinsp|amp(?=;\s)|quot|apos|szlig|euro|copy|reg"
    r"|trade|hellip"
    r"|[A-Za-z]{1,2}(?:grave|acute|circ|tilde|uml|ring|cedil|caron|slash|lig)|bull|[lr][ds]quo|[mn]dash|middot|times"
    r"|laquo|raquo|deg|sect|para|#\d{2,6}|#x[0-9a-f]{2,5});",
    re.IGNORECASE,
)
_ANY_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_ESCAPED_TAG = re.compile(rf"&lt;/?(?:{_TAGS})(?:\s[^<>&]{{0,500}})?/?&gt;", re.IGNORECASE)
_SELECTOR = r"[\w.#*:@>+~\[\]=\"' \t-]{1,300}"
_RULE = re.compile(
    r"\s*+(?:/\*.{0,2000}?\*/|@(?:import|charset)\b[^;{}\n]{0,300};"
    r"|@[\w-]{2,20}\b[^{};]{0,300}\{(?:[^{}]{0,2000}\{[^{}]{0,2000}\}){0,100}[^{}]{0,2000}\}"
    rf"|{_SELECTOR}(?:,\n?{_SELECTOR}){{0,20}}\n?\{{\s*+(?:[\w-]{{2,40}}\s?:[^{{}};]{{1,500}}(?:;\s*+|(?=\}})))*\}})",
    re.DOTALL,
)
_DECLARES = re.compile(
    r"[{;]\s*+(?:-?[a-z]{1,20}-[a-z-]{1,30}|color|margin|padding|font|width|height|display|border|background"
    r"|position|float"
    r"|overflow|opacity|visibility|content|src|size|page|direction|outline|cursor|zoom|clear)\s?:\s?[^{}\s]|@import"
    r"|@charset",
    re.IGNORECASE,
)
_MOST_RULES = 400


def disguised(text: str) -> bool:
    """Whether a plain text beside a page is markup, or has some in it that no person wrote.

    There a tag at its beginning is enough: the page says the same.
    """
    text = text[:_LONGEST]
    if plain.unmarked(text):
        return False
    return (
        _BEGINS.match(_COMMENT.sub("", text)) is not None or _is_page(text) or _escaped(text) or _behind_rules(text) > 0
    )


def revealed(text: str) -> str:
    """The lines that a plain text would have said if it were not markup; any other text as it is."""
    if plain.unmarked(text):
        return text
    start = _behind_rules(text[:_LONGEST])
    text = text[start:]
    if _escaped(text[:_LONGEST]):
        bare = _ANY_ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
        return markup.plain(bare) if _is_page(bare[:_LONGEST]) else bare
    return markup.plain(text) if _is_page(text[:_LONGEST]) else text


def _is_page(text: str) -> bool:
    if "<" not in text:
        return False
    bare = _COMMENT.sub("", text) if "<!--" in text else text
    begins = _BEGINS.match(bare)
    if begins and _DOCUMENT.search(bare):
        return True
    if not begins and _PATCH.search(bare):
        return False
    tags, length = 0, 0
    for tag in _TAG.finditer(bare):
        tags, length = tags + 1, length + len(tag[0])
        if tags == _MOST_TAGS:
            break
    dense = length * 100 >= _DENSE * len(bare.strip())
    if begins and tags >= _PAIR and begins[1].lower() != "a":
        return True
    return tags >= _FEW_TAGS and (begins is not None or dense)


def _escaped(text: str) -> bool:
    return "&" in text and (_ENTITY.search(text) is not None or len(_ESCAPED_TAG.findall(text)) >= _FEW_TAGS)


def _behind_rules(text: str) -> int:
    """Where the text begins behind the rules of CSS that stand above it; 0 where none do."""
    if "{" not in text and text.lstrip()[:1] not in {"/", "@"}:
        return 0
    position, declared = 0, False
    for _ in range(_MOST_RULES):
        rule = _RULE.match(text, position)
        if rule is None:
            break
        declared = declared or _DECLARES.search(rule[0]) is not None
        position = rule.end()
    return position if declared else 0

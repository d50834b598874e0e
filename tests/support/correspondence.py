"""Replies and forwards as fifteen mail programs write them, in both parts.

Each program gives an attribution, a header block and a page their own form; the words in it are a voice's.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING

from tests.support import voices
from tests.support.voices import ORDERS, Voice

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

KINDS = ("reply", "forward with words", "forward")
PARTS = ("plain", "html", "both")
_REPLIES = ("Re: ", "RE: ", "AW: ", "SV: ", "Odp: ", "回复：", "Ynt: ", "Vá: ", "Antw: ")
_FORWARDS = ("Fwd: ", "FW: ", "WG: ", "TR: ", "RV: ", "VS: ", "İLT: ", "转发：", "PD: ")
_TAB = " \t"
_BORDER = "border:none;border-top:solid {} 1.0pt;padding:3.0pt 0cm 0cm 0cm"


@dataclass(frozen=True)
class Letter:
    """A mail, as its two parts; `said` is what must be told of it."""

    subject: str
    plain: str
    page: str
    said: str

    def message(self, parts: str) -> bytes:
        """The message with its plain part, its page, or both."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "nora@example.org", "per@example.net", self.subject
        if parts in {"plain", "both"}:
            mail.set_content(self.plain + "\n", cte="8bit")
        if parts == "html":
            mail.set_content(self.page, subtype="html", cte="8bit")
        if parts == "both":
            mail.add_alternative(self.page, subtype="html", cte="8bit")
        return mail.as_bytes()


def letter(program: str, kind: str, language: str, chance: random.Random) -> Letter:
    """A mail of a kind as a program writes it in a language."""
    voice = voices.speaking(language, chance)
    own = "" if kind == "forward" else voice.own
    plain, page = PROGRAMS[program](voice, chance, own, forward=kind != "reply")
    prefix = chance.choice(_REPLIES if kind == "reply" else _FORWARDS)
    return Letter(prefix + voice.topic, plain, f"<html><head></head>{page}</html>", own or voice.asked)


def quoted(text: str) -> str:
    """Lines as they are quoted."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _in(tag: str, *inner: str, **attributes: str) -> str:
    """An element; `class_` and `data_marker` are its `class` and `data-marker`."""
    told = "".join(f' {name.rstrip("_").replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<{tag}{told}>{''.join(inner)}</{tag}>"


def _text(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", " ")


def _div(text: str) -> str:
    return _in("div", _text(text))


def _lines(fields: list[tuple[str, str]], gap: str = " ") -> str:
    return "\n".join(f"{label}:{gap}{value}" for label, value in fields)


def _rows(fields: list[tuple[str, str]]) -> str:
    return "<br>".join(f"<b>{_text(label)}:</b> {_text(value)}" for label, value in fields)


def _divs(fields: list[tuple[str, str]]) -> str:
    return "".join(_in("div", _in("b", _text(label), ": "), _in("span", _text(value))) for label, value in fields)


def _table(fields: list[tuple[str, str]]) -> str:
    return _in(
        "table", *(_in("tr", _in("th", _text(f"{label}: ")), _in("td", _text(value))) for label, value in fields)
    )


def _gmail(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields, mark = v.fields("from date subject to", v.both()), f"---------- {v.notice} ---------"
        attribution = _in("div", mark, "<br>", _rows(fields), class_="gmail_attr")
        page = _div(own) + _in("div", attribution, "<br><br>", _div(v.asked), class_="gmail_quote")
        return f"{own}\n\n{mark}\n{_lines(fields)}\n\n\n{v.asked}", page
    order = ORDERS[chance.choice(list(ORDERS))](v)
    quote = _in("blockquote", _div(v.asked), class_="gmail_quote", style="margin:0")
    attribution = _in("div", _text(order), "<br>", class_="gmail_attr")
    page = _div(own) + "<br>" + _in("div", attribution, quote, class_="gmail_quote gmail_quote_container")
    return f"{own}\n\n{voices.wrapped(order, chance)}\n\n{quoted(v.asked)}", page


def _apple(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = v.fields("from subject date to", v.both("long"))
        quote = _in("blockquote", _div(f"{v.notice}:"), "<br>", _divs(fields), "<br>", _div(v.asked), type="cite")
        page = _text(own) + _in("div", "<br>", quote)
        block = f"{_lines(fields)}\n\n{v.asked}"
        if chance.random() < 0.5:
            return f"{own}\n\n{v.notice}:\n\n{quoted(block)}", page
        return own + "\n\n" + quoted(f"{v.notice}:\n\n{block}"), page
    order = ORDERS["verb date, name wrote"](v)
    quote = _in("blockquote", _div(order), "<br>", _div(v.asked), type="cite")
    return f"{own}\n\n{order}\n\n{quoted(v.asked)}", _text(own) + _in("div", "<br>", quote)


def _ios(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    device = f"{v.verb} iPhone {v.other_verb}"
    signed = f"{own}\n\n{device}" if own else device
    plain, page = _apple(v, chance, signed, forward=forward)
    sign = f'{_text(own)}<br id="lineBreakAtBeginningOfSignature">{_div(device)}'
    return plain, page.replace(_text(signed), sign, 1)


def _thunderbird(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = v.fields("subject date from to", f"{v.moment:%a, %d %b %Y %H:%M:%S %z}")
        mark = f"-------- {v.notice} --------"
        quote = _in("div", mark, _table(fields), "<br>", _text(v.asked), class_="moz-forward-container")
        return f"{own}\n\n\n{mark}\n{_lines(fields, _TAB)}\n\n{v.asked}", _in("p", _text(own)) + quote
    order = ORDERS[chance.choice(["only the name", "verb date, name wrote", "date wrote name"])](v)
    attribution = _in("div", _text(order), "<br>", class_="moz-cite-prefix")
    quote = _in("blockquote", _div(v.asked), type="cite", cite="mid:1@example.net")
    return f"{own}\n\n{order}\n{quoted(v.asked)}", _in("p", _text(own)) + attribution + quote


def _yahoo(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields, mark = v.fields("from to date subject", v.both("full")), f"----- {v.notice} -----"
        quote = _in("div", _div(mark), _divs(fields), "<br>", _div(v.asked), class_="yahoo_quoted")
        row = "".join(f"{label}: {value}" for label, value in fields)
        return f"{own}\n\n   {mark} {row}\n {v.asked}", _div(own) + "<br>" + quote
    order = ORDERS["verb date, name wrote"](v)
    quote = _in("div", _div(order), "<div><br></div>", _div(v.asked), class_="ydp1yahoo_quoted")
    return f"{own}\n\n    {order}  \n \n {v.asked}", _div(own) + quote


def _outlook(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = v.fields("from date to subject", v.both("full"))
    header = _in("div", _in("p", _rows(fields), class_="MsoNormal"), style=_BORDER.format("#E1E1E1"))
    said, asked = (_in("p", _text(text), "<o:p></o:p>", class_="MsoNormal") for text in (own, v.asked))
    page = _in("div", said, "<p>&nbsp;</p>", header, "<p>&nbsp;</p>", asked, class_="WordSection1")
    return f"{own}\n\n{_lines(fields)}\n\n{v.asked}", page


def _inside(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    """Outlook between colleagues: names without addresses."""
    del forward
    fields = [(label, value.partition(" <")[0]) for label, value in v.fields("from date to subject", v.both("full"))]
    header = _in("div", _in("p", _rows(fields), class_="MsoNormal"), style=_BORDER.format("#B5C4DF"))
    page = _in("div", _in("p", _text(own)), _in("div", header), _in("p", _text(v.asked)), class_="WordSection1")
    return f"{own}\n\n{_lines(fields)}\n\n{v.asked}", page


def _web_outlook(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = v.fields("from date to subject", v.both("full"))
    header = _in("div", _in("font", _rows(fields)), "<div>&nbsp;</div>", id="divRplyFwdMsg", dir="ltr")
    page = _div(own) + '<div id="appendonsend"></div><hr tabindex="-1">' + header + _div(v.asked)
    return f"{own}\n{'_' * 32}\n{_lines(fields)}\n\n{v.asked}", page


def _mac_outlook(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = v.fields("from date to subject", v.both("full"))
        page = _div(own) + _in("div", _in("p", _rows(fields))) + _div(v.asked)
        return f"{own}\n\n{_lines(fields)}\n{v.asked}", page
    order = ORDERS[chance.choice(["quoted name", "name wrote date", "date wrote name"])](v)
    page = _div(own) + _in("span", _div(order), _div(v.asked), id="OLK_SRC_BODY_SECTION")
    return f"{own}\n\n\ufeff{order}\n\n    {v.asked}", page


def _mobile_outlook(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = v.fields("from date to subject", v.both("full"))
    device = f"{v.verb} Outlook {v.other_verb} Android<https://aka.ms/o0ukef>"
    signature = _in("div", _text(device), id="ms-outlook-mobile-signature")
    page = _div(own) + signature + "<hr>" + _in("div", _rows(fields), id="divRplyFwdMsg") + _div(v.asked)
    return f"{own}\n\n{device}\n{'_' * 32}\n{_lines(fields)}\n\n{v.asked}", page


def _gmx(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    fields = v.fields("date from to subject", v.both("long"))
    content = _in("div", _text(v.asked), name="quoted-content")
    quote = _in("div", _in("div", _rows(fields), style="margin:0"), content, name="quote", style="margin:10px")
    block = f"{_lines(fields)}\n\n{v.asked}"
    return f"{own}\n\n" + (block if forward else quoted(block)), _div(own) + _in("div", "&nbsp;", quote)


def _proton(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    quote = _in("blockquote", _div(v.asked), class_="protonmail_quote", type="cite")
    if forward:
        fields, mark = v.fields("from date subject to", v.both("short")), f"------- {v.notice} -------"
        page = _div(own) + _in("div", mark, "<br>", _rows(fields), "<br><br>", quote, class_="protonmail_quote")
        return f"{own}\n\n{mark}\n{_lines(fields)}\n\n{quoted(v.asked)}", page
    order = ORDERS["verb date, name wrote"](v)
    page = _div(own) + _in("div", _text(order), "<br>", quote, class_="protonmail_quote")
    return f"{own}\n\n{order}\n\n{quoted(v.asked)}", page


def _samsung(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = v.fields("from date to subject", f"{v.date('short')}  {v.time()}  (GMT+01:00)")
    mark = f"-------- {v.notice} --------"
    quote = _in("div", _div(mark), _divs(fields), "<div><br></div>", align="left", dir="auto")
    page = _in("div", _text(own), dir="auto") + "<div><br></div>" + quote + _div(v.asked)
    return f"{own}\n\n{mark}\n{_lines(fields)}\n{v.asked}", page


def _roundcube(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    moment = f"{v.moment:%Y-%m-%d %H:%M}"
    if forward:
        fields, mark = v.fields("subject date from to", moment), f"-------- {v.notice} --------"
        content = _in("div", _div(v.asked), id="forwardbody1")
        page = _in("p", _text(own)) + _in("p", mark) + _table(fields) + content
        return f"{own}\n\n{mark}\n{_lines(fields)}\n\n{v.asked}", page
    order = f"{v.other_verb} {moment}, {v.name} {v.verb}:"
    quote = _in("blockquote", _div(v.asked), type="cite", style="padding: 0")
    return f"{own}\n\n{order}\n{quoted(v.asked)}", _in("p", _text(own)) + _in("p", order, id="reply-intro") + quote


def _zimbra(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    fields = v.fields("from to date subject", v.both("full"))
    header = '<hr id="zwchr">' + _in("div", _rows(fields), data_marker="__HEADERS__")
    page = _div(own) + header + "<br>" + _in("div", _div(v.asked), data_marker="__QUOTED_TEXT__")
    if forward:
        return f"{own}\n\n----- {v.notice} -----\n{_lines(fields)}\n\n{v.asked}", page
    return f"{own}\n\n{ORDERS['verb date, name wrote'](v)}\n\n{quoted(v.asked)}", page


PROGRAMS: dict[str, Callable[..., tuple[str, str]]] = {
    "Gmail": _gmail,
    "Apple Mail": _apple,
    "iOS": _ios,
    "Thunderbird": _thunderbird,
    "Yahoo": _yahoo,
    "Outlook": _outlook,
    "Outlook inside a company": _inside,
    "Outlook on the web": _web_outlook,
    "Outlook for Mac": _mac_outlook,
    "Outlook mobile": _mobile_outlook,
    "GMX": _gmx,
    "Proton": _proton,
    "Samsung": _samsung,
    "Roundcube": _roundcube,
    "Zimbra": _zimbra,
}

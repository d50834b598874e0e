"""Replies and forwards as mail programs write them, in languages that nobody listed.

Dates come from Babel in the form of each locale. Names, labels and verbs are words of the locale too, but no
words that a mail program would use: names of regions and of languages. So nothing can know them as words; what is
left is the shape that each program gives to an attribution, to a header block and to its page.
"""

from __future__ import annotations

import html
import random
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from functools import cache
from typing import TYPE_CHECKING

from babel import Locale
from babel.dates import format_date, format_datetime, format_time

if TYPE_CHECKING:
    from collections.abc import Callable

LANGUAGES = (
    "af am ar ar_EG az be bg bn bs ca cs cy da de el en en_GB es et eu fa fi fil fr fr_CA ga gl gu he hi hr hu hy id is it"
    " ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl pa pl ps pt pt_PT ro ru si sk sl sq sr sv sw ta te th tr"
    " uk ur uz vi zh zh_Hant zu"
).split()
"""Locales of Babel, as many as can be."""
PARTS = ("plain", "html", "both")
_PREFIXES = ("Re: ", "RE: ", "AW: ", "SV: ", "Odp: ", "回复：", "Ynt: ", "Vá: ", "Antw: ")
_FORWARDS = ("Fwd: ", "FW: ", "WG: ", "TR: ", "RV: ", "VS: ", "İLT: ", "转发：", "PD: ")


@dataclass(frozen=True)
class Voice:
    """Words of one language: whose mail is answered, what is said and was said, and what the fields are called."""

    language: str
    name: str
    me: str
    verb: str
    other_verb: str
    own: str
    asked: str
    topic: str
    notice: str
    labels: tuple[str, ...]
    moment: datetime

    @property
    def address(self) -> str:
        return "per@example.net"

    @property
    def box(self) -> str:
        return f"{self.name} <{self.address}>"

    def date(self, form: str = "medium") -> str:
        return format_date(self.moment, form, locale=self.language)

    def time(self, form: str = "short") -> str:
        return format_time(self.moment, form, locale=self.language)

    def both(self, form: str = "medium") -> str:
        return format_datetime(self.moment, form, locale=self.language)


@cache
def _words(language: str) -> tuple[list[str], list[str]]:
    """Names of regions, and of languages, that are of letters alone."""
    locale = Locale.parse(language)
    regions = [name for name in locale.territories.values() if _of_letters(name)]
    languages = [name for name in locale.languages.values() if _of_letters(name)]
    return sorted(set(regions)), sorted(set(languages))


def _of_letters(name: str) -> bool:
    if any(unicodedata.category(sign) == "Cf" for sign in name):
        return False
    return 2 <= len(name) <= 18 and not any(sign.isdigit() or sign in '()[],;:.!?<>|/\\@"-' for sign in name)


def voice(language: str, chance: random.Random) -> Voice:
    """One voice in a language, by chance."""
    regions, languages = _words(language)
    region = lambda count: " ".join(chance.sample(regions, count))  # noqa: E731 - said once, used seven times
    return Voice(
        language,
        name=region(chance.choice([1, 2])),
        me=region(1),
        verb=chance.choice(languages),
        other_verb=chance.choice(languages),
        own=region(chance.randint(1, 4)) + chance.choice([".", "!", "", "。"]),
        asked=region(chance.randint(2, 5)) + chance.choice(["?", ".", ""]),
        topic=region(2),
        notice=f"{chance.choice(languages)} {chance.choice(regions)}",
        labels=tuple(chance.sample(languages, 5)),
        moment=datetime(
            chance.randint(2019, 2026), chance.randint(1, 12), chance.randint(1, 28), chance.randint(0, 23),
            chance.randint(0, 59), chance.randint(0, 59), tzinfo=timezone(timedelta(hours=chance.randint(-5, 9))),
        ),
    )  # fmt: skip


# Attributions: the orders in which programs put date, name and verb, in the languages that they speak.

ORDERS: dict[str, Callable[[Voice], str]] = {
    "verb date, name wrote": lambda v: f"{v.other_verb} {v.both('full')}, {v.box} {v.verb}:",
    "date, name": lambda v: f"{v.date('medium')} {v.time()}, {v.box}:",
    "name wrote date": lambda v: f"{v.box} {v.verb} {v.date('full')} {v.time()}:",
    "date wrote name": lambda v: f"{v.other_verb} {v.date('short')} {v.time()} {v.verb} {v.name} <{v.address}>:",
    "name, date, wrote": lambda v: f"{v.box}, {v.date()}, {v.time()} {v.verb} {v.other_verb}:",
    "ISO date, name": lambda v: f"{v.moment:%Y-%m-%d %H:%M} GMT+03:00 {v.box}:",
    "name in brackets": lambda v: f"{v.other_verb} {v.both('medium')}, {v.name} ({v.address}) {v.verb}:",
    "only the name": lambda v: f"{v.other_verb} {v.date('long')} {v.time()}, {v.name} {v.verb}:",
    "quoted name": lambda v: f'{v.other_verb} {v.date("short")} {v.time()}, "{v.name}" <{v.address}> {v.verb}:',
    "a colon of its own": lambda v: f"{v.box} {v.both('long')} {v.verb}：",
    "only address": lambda v: f"{v.both('short')}, {v.address} {v.verb} :",
}


def wrapped(line: str, chance: random.Random) -> str:
    """An attribution as it is sent: on one line, or broken where a program breaks lines."""
    words = line.split(" ")
    if len(words) < 4 or chance.random() < 0.5:
        return line
    at = chance.choice([place for place, word in enumerate(words) if "@" in word] or [len(words) - 1])
    broken = " ".join(words[:at]) + "\n" + " ".join(words[at:])
    return broken.replace("<per@", "<\nper@", 1) if chance.random() < 0.2 and broken.count("\n") < 2 else broken


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


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


def _page(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", " ")


def _div(text: str) -> str:
    return f"<div>{_page(text)}</div>"


# Programs. Each gives the mail that answers, or forwards with or without words of one's own.


def _gmail(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "from date subject to", v.both("medium"))
        mark = f"---------- {v.notice} ---------"
        page = f"<div dir=ltr>{_page(own)}<br><div class=gmail_quote><div dir=ltr class=gmail_attr>{mark}<br>{_rows(fields)}</div><br><br>{_div(v.asked)}</div></div>"
        return f"{own}\n\n{mark}\n{_lines(fields)}\n\n\n{v.asked}", page
    order = ORDERS[chance.choice(list(ORDERS))](v)
    page = (
        f'<div dir="ltr">{_page(own)}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">'
        f'{_page(order)}<br></div><blockquote class="gmail_quote" style="margin:0">{_div(v.asked)}</blockquote></div>'
    )
    return f"{own}\n\n{wrapped(order, chance)}\n\n{quoted(v.asked)}", page


def _apple(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "from subject date to", v.both("long"))
        page = f'<body>{_page(own)}<br><div><br><blockquote type="cite"><div>{v.notice}:</div><br>{"".join(f"<div><b>{_page(label)}: </b><span>{_page(value)}</span></div>" for label, value in fields)}<br><div>{_page(v.asked)}</div></blockquote></div></body>'
        block = f"{_lines(fields)}\n\n{v.asked}"
        if chance.random() < 0.5:
            return f"{own}\n\n{v.notice}:\n\n{quoted(block)}", page
        return own + "\n\n" + quoted(f"{v.notice}:\n\n{block}"), page
    order = ORDERS["verb date, name wrote"](v)
    page = f'<body>{_page(own)}<div><br><blockquote type="cite"><div>{_page(order)}</div><br><div>{_page(v.asked)}</div></blockquote></div></body>'
    return f"{own}\n\n{order}\n\n{quoted(v.asked)}", page


def _thunderbird(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "subject date from to", f"{v.moment:%a, %d %b %Y %H:%M:%S %z}")
        mark = f"-------- {v.notice} --------"
        rows = "".join(f"<tr><th>{_page(label)}: </th><td>{_page(value)}</td></tr>" for label, value in fields)
        page = f'<p>{_page(own)}</p><div class="moz-forward-container">{mark}<table class="moz-email-headers-table"><tbody>{rows}</tbody></table><br>{_page(v.asked)}</div>'
        return f"{own}\n\n\n{mark}\n" + "\n".join(
            f"{label}: \t{value}" for label, value in fields
        ) + f"\n\n{v.asked}", page
    order = ORDERS[chance.choice(["only the name", "verb date, name wrote", "date wrote name"])](v)
    page = f'<p>{_page(own)}</p><div class="moz-cite-prefix">{_page(order)}<br></div><blockquote type="cite" cite="mid:1@example.net">{_div(v.asked)}</blockquote>'
    return f"{own}\n\n{order}\n{quoted(v.asked)}", page


def _yahoo(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "from to date subject", v.both("full"))
        mark = f"----- {v.notice} -----"
        run = "".join(f"{label}: {value}" for label, value in fields)
        page = f'<div>{_page(own)}</div><br><div id="yahoo_quoted_1" class="yahoo_quoted"><div>{mark}</div>{"".join(f"<div><b>{_page(label)}:</b> {_page(value)}</div>" for label, value in fields)}<br>{_div(v.asked)}</div>'
        return f"{own}\n\n   {mark} {run}\n {v.asked}", page
    order = ORDERS["verb date, name wrote"](v)
    page = f'<div>{_page(own)}</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>{_page(order)}</div><div><br></div>{_div(v.asked)}</div>'
    return f"{own}\n\n    {order}  \n \n {v.asked}", page


def _outlook(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = _fields(v, "from date to subject", v.both("full"))
    page = (
        f'<div class="WordSection1"><p class="MsoNormal">{_page(own)}<o:p></o:p></p><p>&nbsp;</p>'
        "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"
        f'<p class="MsoNormal">{_rows(fields, bold=True)}<o:p></o:p></p></div><p>&nbsp;</p><p class="MsoNormal">{_page(v.asked)}</p></div>'
    )
    return f"{own}\n\n{_lines(fields)}\n\n{v.asked}", page


def _inside(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    """Outlook between colleagues: names without addresses."""
    del forward
    fields = [(label, value.partition(" <")[0]) for label, value in _fields(v, "from date to subject", v.both("full"))]
    page = (
        f'<div class="WordSection1"><p class="MsoNormal">{_page(own)}</p><div>'
        "<div style='border:none;border-top:solid #B5C4DF 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"
        f'<p class="MsoNormal">{_rows(fields, bold=True)}</p></div></div><p class="MsoNormal">{_page(v.asked)}</p></div>'
    )
    return f"{own}\n\n{_lines(fields)}\n\n{v.asked}", page


def _new_outlook(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = _fields(v, "from date to subject", v.both("full"))
    page = f'<div>{_page(own)}</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font>{_rows(fields, bold=True)}</font><div>&nbsp;</div></div>{_div(v.asked)}'
    return f"{own}\n{'_' * 32}\n{_lines(fields)}\n\n{v.asked}", page


def _mac_outlook(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "from date to subject", v.both("full"))
        page = f"<div>{_page(own)}</div><div><p><b>{_rows(fields, bold=True)}</b></p></div>{_div(v.asked)}"
        return f"{own}\n\n{_lines(fields)}\n{v.asked}", page
    order = ORDERS[chance.choice(["quoted name", "name wrote date", "date wrote name"])](v)
    page = f'<div>{_page(own)}</div><span id="OLK_SRC_BODY_SECTION"><div>{_page(order)}</div>{_div(v.asked)}</span>'
    return f"{own}\n\n\ufeff{order}\n\n    {v.asked}", page


def _mobile_outlook(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = _fields(v, "from date to subject", v.both("full"))
    device = f"{v.verb} Outlook {v.other_verb} Android<https://aka.ms/o0ukef>"
    page = f'<div>{_page(own)}</div><div id="ms-outlook-mobile-signature">{_page(device)}</div><hr><div id="divRplyFwdMsg">{_rows(fields, bold=True)}</div><div>{_page(v.asked)}</div>'
    return f"{own}\n\n{device}\n{'_' * 32}\n{_lines(fields)}\n\n{v.asked}", page


def _gmx(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    fields = _fields(v, "date from to subject", v.both("long"))
    page = f'<div style="font-family: Verdana;"><div>{_page(own)}</div><div>&nbsp;<div name="quote" style="margin:10px"><div style="margin:0">{_rows(fields, bold=True)}</div><div name="quoted-content">{_page(v.asked)}</div></div></div></div>'
    block = f"{_lines(fields)}\n\n{v.asked}"
    return f"{own}\n\n" + (block if forward else quoted(block)), page


def _proton(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "from date subject to", v.both("short"))
        mark = f"------- {v.notice} -------"
        page = f'<div>{_page(own)}</div><div class="protonmail_quote">{mark}<br>{_rows(fields)}<br><br><blockquote class="protonmail_quote" type="cite">{_div(v.asked)}</blockquote></div>'
        return f"{own}\n\n{mark}\n{_lines(fields)}\n\n{quoted(v.asked)}", page
    order = f"{v.other_verb} {v.both('full')}, {v.box} {v.verb}:"
    page = f'<div>{_page(own)}</div><div class="protonmail_quote">{_page(order)}<br><blockquote class="protonmail_quote" type="cite">{_div(v.asked)}</blockquote></div>'
    return f"{own}\n\n{order}\n\n{quoted(v.asked)}", page


def _samsung(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    del forward
    fields = [
        (label, value)
        for label, value in _fields(v, "from date to subject", f"{v.date('short')}  {v.time()}  (GMT+01:00)")
    ]
    mark = f"-------- {v.notice} --------"
    page = f'<div dir="auto">{_page(own)}</div><div><br></div><div align="left" dir="auto"><div>{mark}</div>{"".join(_div(f"{label}: {value} ") for label, value in fields)}<div><br></div></div>{_div(v.asked)}'
    return f"{own}\n\n{mark}\n{_lines(fields)}\n{v.asked}", page


def _roundcube(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    if forward:
        fields = _fields(v, "subject date from to", f"{v.moment:%Y-%m-%d %H:%M}")
        mark = f"-------- {v.notice} --------"
        rows = "".join(f"<tr><th>{_page(label)}:</th><td>{_page(value)}</td></tr>" for label, value in fields)
        page = f'<p>{_page(own)}</p><p>{mark}</p><table border="0"><tbody>{rows}</tbody></table><div id="forwardbody1">{_div(v.asked)}</div>'
        return f"{own}\n\n{mark}\n{_lines(fields)}\n\n{v.asked}", page
    order = f"{v.other_verb} {v.moment:%Y-%m-%d %H:%M}, {v.name} {v.verb}:"
    page = f'<p>{_page(own)}</p><p id="reply-intro">{_page(order)}</p><blockquote type="cite" style="padding: 0">{_div(v.asked)}</blockquote>'
    return f"{own}\n\n{order}\n{quoted(v.asked)}", page


def _zimbra(v: Voice, _chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    fields = _fields(v, "from to date subject", v.both("full"))
    page = f'<div>{_page(own)}</div><br><hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__">{_rows(fields, bold=True)}</div><br><div data-marker="__QUOTED_TEXT__">{_div(v.asked)}</div>'
    if forward:
        return f"{own}\n\n----- {v.notice} -----\n{_lines(fields)}\n\n{v.asked}", page
    return f"{own}\n\n{v.other_verb} {v.both('medium')}, {v.box} {v.verb}:\n\n{quoted(v.asked)}", page


def _ios(v: Voice, chance: random.Random, own: str, *, forward: bool) -> tuple[str, str]:
    device = f"{v.verb} iPhone {v.other_verb}"
    if forward:
        plain, page = _apple(v, chance, f"{own}\n\n{device}" if own else device, forward=True)
    else:
        plain, page = _apple(v, chance, f"{own}\n\n{device}", forward=False)
    signed = f'<br id="lineBreakAtBeginningOfSignature"><div dir="ltr">{_page(device)}</div>'
    return plain, page.replace(_page(f"{own}\n\n{device}" if own else device), f"{_page(own)}{signed}", 1)


CLIENTS: dict[str, Callable[..., tuple[str, str]]] = {
    "Gmail": _gmail,
    "Apple Mail": _apple,
    "iOS": _ios,
    "Thunderbird": _thunderbird,
    "Yahoo": _yahoo,
    "Outlook": _outlook,
    "Outlook inside a company": _inside,
    "Outlook on the web": _new_outlook,
    "Outlook for Mac": _mac_outlook,
    "Outlook mobile": _mobile_outlook,
    "GMX": _gmx,
    "Proton": _proton,
    "Samsung": _samsung,
    "Roundcube": _roundcube,
    "Zimbra": _zimbra,
}
KINDS = ("reply", "forward with words", "forward")


def letter(client: str, kind: str, language: str, chance: random.Random) -> Letter:
    """A mail of a kind as a program writes it in a language."""
    spoken = voice(language, chance)
    own = "" if kind == "forward" else spoken.own
    plain, page = CLIENTS[client](spoken, chance, own, forward=kind != "reply")
    prefix = chance.choice(_PREFIXES if kind == "reply" else _FORWARDS)
    return Letter(prefix + spoken.topic, plain, f"<html><head></head>{page}</html>", own or spoken.asked)


def _fields(v: Voice, order: str, moment: str) -> list[tuple[str, str]]:
    values = {"from": v.box, "date": moment, "to": f"{v.me} <nora@example.org>", "subject": v.topic}
    return [(label, values[field]) for label, field in zip(v.labels, order.split(), strict=False)]


def _lines(fields: list[tuple[str, str]]) -> str:
    return "\n".join(f"{label}: {value}" for label, value in fields)


def _rows(fields: list[tuple[str, str]], *, bold: bool = False) -> str:
    start, end = ("<b>", "</b>") if bold else ("", "")
    return "<br>".join(f"{start}{_page(label)}:{end} {_page(value)}" for label, value in fields)

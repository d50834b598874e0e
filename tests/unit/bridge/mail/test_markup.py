"""What a page says of its quotes: marks in its text, where mail programs put them."""

from __future__ import annotations

import pytest

from bridge.mail import markup, snippet
from bridge.mail.quotes.lines import BEGIN, END, HERE, LOOSE, SIGNED

QUOTE = "<div>When do you come by?</div>"


def own(page, subject="Re: Keys"):
    return snippet.make(markup.own(page), subject=subject)


@pytest.mark.parametrize(
    "quote",
    [
        f'<div class="gmail_quote">Per, yesterday{QUOTE}</div>',
        f'<div class="gmail_extra"><div class="gmail_attr">Per</div>{QUOTE}</div>',
        f'<blockquote type="cite">{QUOTE}</blockquote>',
        f"<BLOCKQUOTE TYPE=CITE>{QUOTE}</BLOCKQUOTE>",
        f'<blockquote cite="mid:x@example.net">{QUOTE}</blockquote>',
        f'<div class="moz-cite-prefix">Per, yesterday</div><blockquote type="cite">{QUOTE}</blockquote>',
        f'<div class="moz-forward-container">x{QUOTE}</div>',
        f'<div class="ydp1yahoo_quoted" id="ydp1yahoo_quoted_2">x{QUOTE}</div>',
        f'<div class="protonmail_quote">x{QUOTE}</div>',
        f'<hr><div id="divRplyFwdMsg">From: Per</div>{QUOTE}',
        f'<div id="x_divRplyFwdMsg">From: Per</div>{QUOTE}',
        f'<div id="appendonsend"></div><hr><div>Per</div>{QUOTE}',
        f'<div id="mail-editor-reference-message-container">{QUOTE}</div>',
        f'<span id="OLK_SRC_BODY_SECTION">{QUOTE}</span>',
        f'<hr id="stopSpelling">Per{QUOTE}',
        f'<hr id="zwchr">Per{QUOTE}',
        f'<div data-marker="__QUOTED_TEXT__">{QUOTE}</div>',
        f'<div name="quote" style="margin:10px">{QUOTE}</div>',
        f"<div name=quote>{QUOTE}</div>",
        f"<div style='border:none;border-top:solid #E1E1E1 1.0pt'>Per</div>{QUOTE}",
        f'<p id="reply-intro">Per</p>{QUOTE}',
        f'<blockquote id="isReplyContent">{QUOTE}</blockquote>',
        f"<div>On 3-Jun-2025, at 7:12 AM, Per <per@example.net> wrote:</div>{QUOTE}",
        f"<div>11 Apr 2025, Per &lt;per@example.net&gt;:</div><blockquote>{QUOTE}</blockquote>",
        f"<blockquote><div>11 Apr 2025, Per &lt;per@example.net&gt;:</div>{QUOTE}</blockquote>",
    ],
)
def test_what_programs_put_around_a_quote_is_left_out(quote):
    assert own(f"<html><body><p>At five.</p>{quote}</body></html>") == "At five."
    assert markup.tells_quotes(quote) == ("example.net&gt;" not in quote and "<per@" not in quote)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<p>News</p><blockquote style='margin:0 0 0 40px'>indented</blockquote><p>end</p>", "News indented end"),
        ('<div class="quote">a</div><div name="quotes">b</div>', "a b"),
        (
            "<div class=gmail_quote><p class=gmail_attr>Per:</p><blockquote class=gmail_quote>a</blockquote>b</div>",
            "b",
        ),
        (f'<blockquote type="cite">{QUOTE}</blockquote>', "When do you come by?"),
        ('Write to <a href="mailto:per@example.net?subject=x">us</a> now', "Write to us now"),
        ("<p>a</p><div class=gmail_signature>Nora<br>ACME</div>", "a"),
        ('<p>a</p><br id="lineBreakAtBeginningOfSignature"><div>Nora</div>', "a"),
        ("<p>a</p></blockquote><p>b</p>", "a b"),
        (f"<p>a{BEGIN}b{HERE}c</p><blockquote type=cite>d</blockquote>", "abc"),
    ],
)
def test_the_rest_of_a_page_is_its_author_s(page, said):
    assert own(page) == said


def test_addresses_behind_names_make_a_header_block():
    block = (
        "<b>От:</b>&nbsp;<a href='mailto:p@example.net'>Per</a><br><b>Отправлено:</b> 3 июня 2025 г. 09:41<br>"
        '<b>Кому:</b>&nbsp;<a target="x" href="mailto:n@example.org">Nora</a><br>'
    )
    assert own(f"<div>At five.</div><div>{block}</div>{QUOTE}") == "At five."


def test_the_marks_stand_where_the_tags_do():
    text = markup.own("a<blockquote cite=x>b<blockquote>c</blockquote></blockquote><div name=quote>d</div>")
    assert "".join(text.split()) == f"a{BEGIN}b{LOOSE}c{END}{END}{HERE}d"
    assert SIGNED not in text
    assert markup.own("<p>plain</p>") == markup.plain("<p>plain</p>")


def test_a_page_of_nothing_but_a_signature_is_read_as_it_is():
    assert markup.own("<div class=gmail_signature>Nora</div>").strip() == "Nora"

"""Up to three lines that say who wrote what follows, in any order and language."""

from __future__ import annotations

import pytest

from bridge.mail.quotes import attribution, lines

QUOTE = "\n\n> When?"


def found(body, *, answer=False):
    read = lines.read(body)
    return [
        (one.start, one.end, one.weak)
        for last in range(len(read))
        if (one := attribution.ending_at(read, last, answer=answer))
    ]


@pytest.mark.parametrize(
    ("above", "start", "end"),
    [
        ("On 11 Apr 2025, at 12:47, Per <p@x.example> wrote:", 0, 1),
        ("Per <p@x.example> schrieb am Fr., 11. Apr. 2025 um 11:53 Uhr:", 0, 1),
        ("пт, 11 апр. 2025 г. в 15:19, Пер <p@x.example>:", 0, 1),
        ("On Apr 11, 2025, at 12:47 PM, Per Holm\n<p@x.example>\nwrote:", 0, 3),
        ("2025-04-11 11:28 GMT+03:00 Per <\np@x.example>:", 0, 2),
        ("fre. 11. apr. 2025 kl. 13:09 skrev Per <p@x.example\n>:", 0, 2),
        ("Am 11.04.25 um 13:18 schrieb Per:", 0, 1),
        ("Per Holm\n<p@x.example> am 11.4.2025 13:18:", 0, 2),
        ("At five.\nOn 11 Apr 2025, Per <p@x.example>\nwrote:", 1, 3),
        ("At five\nPer <p@x.example> wrote:", 1, 2),
        ("At 5:00\nPer <p@x.example> wrote:", 1, 2),
        ("Per <p@x.example> schrieb am So., 23.\nJuni 2024, 21:08:", 0, 2),
        ("At five:\n11 Apr 2025 Per\nwrote:", 1, 3),
        ("2025/4/11 Per <p@x.example>", 0, 1),
        ("--- On Wed, 24 Feb 2021 14:02 Per wrote ---", 0, 1),
    ],
)
def test_an_attribution_starts_where_its_name_and_date_do(above, start, end):
    assert (start, end, False) in found(above + QUOTE)


@pytest.mark.parametrize(
    "body",
    [
        "On 11 Apr 2025 Per <p@x.example> wrote:\n\nWhen?",
        "On 11 Apr 2025 Per <p@x.example> wrote:",
    ],
)
def test_with_an_address_and_a_date_nothing_need_be_marked_as_quoted(body):
    assert found(body) == [(0, 1, False)]


def test_in_a_reply_a_date_and_a_time_suffice():
    body = "Ja.\n\nPer kirjoitti 11.4.2025 klo 13.18:\n\nKoska?"
    assert found(body) == []
    assert found(body, answer=True) == [(2, 3, False)]
    assert found("Ja.\nPer kirjoitti 11.4.2025 klo 13.18:\n\nKoska?", answer=True) == []
    assert found("On 11.4.2025 klo 13.18:\nboats", answer=True) == []


def test_in_a_reply_a_paragraph_may_have_lost_its_colon():
    body = "Ja.\n\nOn Wed, 14 Nov 2018 08:14:43 -0200 Per <p@x.example> wrote\n\nWhen?"
    assert found(body) == []
    assert found(body, answer=True) == [(2, 3, False)]
    assert found(body.replace(" wrote", " will be there with boats"), answer=True) == []
    assert found(body.replace("Ja.\n\n", "Ja.\n"), answer=True) == []


def test_a_short_line_above_a_quote_may_be_one():
    assert found("Per skrev:" + QUOTE) == [(0, 1, True)]


@pytest.mark.parametrize(
    "body",
    [
        "We meet at nine:\nBring a boat.",
        "Until 11 April 2025 write to ann@x.example:\n- your name",
        "Write to ann@x.example:\n\nnow",
        "On 11 April 2025 at 9:05 there will be:\n\nBoats",
        "Yes! That is what I said:" + QUOTE,
        "x" * 500 + " 11.4.2025 a@b.example:" + QUOTE,
        "ann@x.example" + QUOTE,
        "> On 11 Apr 2025 Per <p@x.example> wrote:",
        "--- Agenda ---",
        "",
    ],
)
def test_prose_is_none(body):
    assert found(body) == []

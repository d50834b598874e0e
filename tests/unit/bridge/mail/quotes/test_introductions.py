"""What introduces somebody else's message, and what only looks like it."""

from __future__ import annotations

import pytest

from bridge.mail.quotes import lines
from bridge.mail.quotes.introductions import Introduction, Introductions
from bridge.mail.quotes.lines import HERE

BLOCK = "From: Per <p@x.example>\nDate: 11 April 2025\nSubject: Boiler\nTo: n@x.example"


def found(body, subject="", *, forwarded=False):
    read = lines.read(body)
    introductions = Introductions(read, subject, forwarded=forwarded)
    return {position: one for position in range(len(read)) if (one := introductions.at(position))}


@pytest.mark.parametrize(
    "above",
    [
        "-------- Välitetty viesti --------",
        "_" * 32,
        "---------- Videresendt melding ---------",
        "-----Original Message-----",
    ],
)
def test_a_stroke_belongs_to_the_header_block_below(above):
    assert found(f"{above}\n{BLOCK}\n\nx")[0] == Introduction(5)
    assert found(f"{above}\n\n{BLOCK}\n\nx")[0] == Introduction(6)


def test_strokes_alone_are_drawn_by_anybody():
    assert found("--- Agenda ---\n\nBoats\n" + "_" * 32) == {}
    assert found("-----Antwort Nachricht-----\n\nx") == {}
    assert found("-----Antwort Nachricht-----\n\nx", "Re: y") == {0: Introduction(1)}


def test_what_has_announced_for_decades_needs_nothing_below():
    assert found("Begin forwarded message:\n\nx") == {0: Introduction(1)}
    assert found("-----Original Message-----\nx") == {0: Introduction(1)}


def test_a_line_with_a_colon_announces_only_in_what_is_quoted():
    body = f"Välitetty viesti alkaa:\n\n{BLOCK}\n\nx"
    assert 0 not in found(body)
    assert found(body, forwarded=True)[0] == Introduction(6)


def test_what_is_quoted_may_begin_with_a_header_of_fewer_signs():
    body = "Von: Per\nAm: 11.4.2025\nAn: Nora\n\nDate: 11.4.2025\nPlace: Town hall\nFee: none"
    assert found(body) == {}
    assert found(body, forwarded=True) == {0: Introduction(3)}


def test_a_page_s_mark_makes_a_header_of_fewer_signs():
    body = "From: Per\nSent: Monday, 10:00\nTo: Nora\n\nx"
    assert found(body) == {}
    assert found(f"{HERE}\n{body}") == {1: Introduction(2), 3: Introduction(6)}


def test_a_line_of_its_own_is_a_header_with_what_follows_the_subject():
    row = "From: P <p@x.example> Sent: 11 April 2025 To: N <n@x.example> Subject: Boiler It is serviced."
    assert found(row, "Fwd: Boiler") == {0: Introduction(1, "It is serviced.")}


def test_attributions_are_weak_where_somebody_goes_on():
    assert found("Per skrev:\n> x") == {0: Introduction(1, attributes=True)}
    assert found("Per skrev:\n> x\n\n--\nPer") == {0: Introduction(1, attributes=True)}
    assert found("Per skrev:\n> x\n\ny") == {0: Introduction(1, attributes=True, weak=True)}


def test_quoted_lines_and_empty_ones_introduce_nothing():
    assert found("> Begin forwarded message:\n\n> " + BLOCK.replace("\n", "\n> ")) == {}
    assert found("x" * 300 + " wrote") == {}

"""Addresses, moments, labels and colons are known in any script."""

from __future__ import annotations

import pytest

from bridge.mail.quotes import signs


@pytest.mark.parametrize(
    "text",
    [
        "11/4/25", "11.04.2025", "2025-04-11", "2025/4/11", "11. april 2025", "Apr 11, 2025", "vendredi 11 avril 2025",
        "2025年4月11日", "2025년 4월 11일", "١١ أبريل ٢٠٢٥", "۲۲ فروردین ۱۴۰۴", "11 เมษายน 2568", "११ अप्रैल २०२५",
        "11-Apr-2025", "25. 2. 4. 오후", "2025. ápr. 11.", "2025 m. balandžio 11 d.", "11 ביוני 2025", "12 5785",
    ],
)  # fmt: skip
def test_a_date_is_one_by_its_figures(text):
    assert signs.dated(text)
    assert signs.moment(f"x {text} y")


@pytest.mark.parametrize(
    "text", ["", "monday", "12", "2025", "192.168.1.20", "1.2.3.4", "v1.2", "12 boats", "030 123456", "1234567 12"]
)
def test_other_figures_are_no_date(text):
    assert not signs.dated(text)


@pytest.mark.parametrize(
    "text", ["13:18", "1:18 PM", "٠١:١٨", "11 h 05", "11時28分", "11.4. klo 13.18", "13：18", "11ч05"]
)
def test_a_time_is_one_by_its_figures(text):
    assert signs.timed(text)


@pytest.mark.parametrize("text", ["", "12.50", "3:1", "a:b", "100:25:3000", "1.10.2"])
def test_other_figures_are_no_time(text):
    assert not signs.timed(text)


@pytest.mark.parametrize(
    "text", ["a@b.example", "<a@b.c>", "Per (a@b.example)", "< a@b.example>", "mailto:a@b.example"]
)
def test_an_address_is_found_wherever_it_stands(text):
    assert signs.address(text)
    assert signs.addresses(f"{text}, {text}") == 2


@pytest.mark.parametrize("text", ["", "@", "@all", "a@", "a b"])
def test_other_signs_are_no_address(text):
    assert not signs.address(text)
    assert signs.addresses(text) == 0


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Per Holm <p@x.example>", True),
        ('"Per" <p@x.example>', True),
        ("Per [mailto:p@x.example]", True),
        ("Per (p@x.example)", True),
        ("Per (<p@x.example>)", True),
        ("<p@x.example>", False),
        ("p@x.example", False),
        ("Per", False),
    ],
)
def test_a_mailbox_has_a_name(text, right):
    assert signs.mailbox(text) is right


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("From: Per", ("From", "Per")),
        ("*Von:* Per", ("Von", "Per")),
        ("**Von**: Per", ("Von", "Per")),
        ("De : Per", ("De", "Per")),
        ("Envoyé le :vendredi", ("Envoyé le", "vendredi")),
        ("发件人：李雷", ("发件人", "李雷")),
        ("Cc:", ("Cc", "")),
        ("Kopie (CC): x", ("Kopie (CC)", "x")),
        ("प्रेषक: x", ("प्रेषक", "x")),
        ("https://x.example", None),
        ("12:30", None),
        ("what a b!: c", None),
        ("no label", None),
        ("x" * 60 + ": y", None),
    ],
)
def test_a_label_is_known_by_its_colon(text, pair):
    assert signs.labelled(text) == pair


@pytest.mark.parametrize("text", ["wrote:", "写道：", "wrote: ", "*wrote:*", "գրել է՝։", "wrote\u00a0:", "រ៖"])
def test_all_scripts_have_colons(text):
    assert signs.ends_in_colon(text)
    assert not signs.ends_in_colon(f"{text} x")
    assert not signs.ends_in_colon("")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("At five.", True),
        ("五時。", True),
        ("At 11 Apr 2025 1:18 p.m.", False),
        ("den 11.4.2025 kl.", False),
        ("Per", False),
    ],
)
def test_a_sentence_ends_but_not_with_an_abbreviation_beside_a_date(text, right):
    assert signs.ends_sentence(text) is right


def test_strokes_with_and_without_words():
    assert signs.rule("_" * 32)
    assert not signs.rule("____")
    assert signs.ruled("-------- Välitetty viesti --------") == "Välitetty viesti"
    assert signs.ruled("-- x --") == ""
    assert signs.ruled("Välitetty viesti") == ""
    assert signs.ruled("─" * 40) == ""
    assert signs.behind_ruled("----- x ----- From: y") == "From: y"
    assert signs.behind_ruled("x") is None

"""Columns of a terminal: cells are counted, characters stay whole."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from clients.terminal.columns import fit, steady

TEXTS = [
    "plain",
    "Grüße aus Köln, und noch viel mehr davon",
    "e\u0301\u0301 marks e\u0301 on letters o\u0308 of all kinds a\u030a",
    "会议纪要:明天下午三点在二楼会议室",
    "안녕하세요 회의 자료를 보내드립니다 감사합니다",
    "مرحبا بالعالم هذا اختبار طويل جدا للعرض",
    "שלום עולם זה מבחן ארוך של תצוגה",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 ❤️ 👍🏽 🇩🇪 1️⃣ and more of it",
    "हिन्दी में क्षत्रिय लिखा है और बहुत कुछ",
    "می‌خواهم",
    "\u202egpj.exe\u2066 hidden \u200b\ufeff",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("cells", [0, 1, 2, 3, 7, 20, 21, 60])
def test_a_column_is_as_wide_as_it_is_said_to_be(text, cells):
    assert cell_len(fit(text, cells)) == cells
    assert cell_len(fit(text, cells, fill=False)) <= cells


def test_marks_stay_on_their_letters_and_what_was_cut_is_told():
    assert fit("ae\u0301bc", 3) == "ae\u0301…"
    assert fit("会议纪要", 5) == "会议…"
    assert fit("会议纪要", 4) == "会… ", "two cells of a character do not fit in one"


def test_emoji_have_no_parts_of_which_terminals_think_otherwise():
    assert steady("👩‍👩‍👧‍👦 🏳️‍🌈 ❤️ 👍🏽 🇩🇪") == "👩👩👧👦 🏳🌈 ❤ 👍 DE"
    assert steady("می‌خواهم") == "می‌خواهم", "a word needs its joiners"

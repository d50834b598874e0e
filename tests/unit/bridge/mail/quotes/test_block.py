"""Header blocks, whatever their fields are called; and lists that are none."""

from __future__ import annotations

import pytest

from bridge.mail.quotes import block, lines


def end(body, *, subject="", announced=False, sure=False, answer=False):
    header, after = block.starting_at(
        lines.read(body), 0, subject=subject, announced=announced, sure=sure, answer=answer
    )
    return after if header else 0


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("Fra: Per <p@x.example>\nSendt: 11. april 2025 12:10\nTil: Nora\nEmne: Nøgler\n\nHvornår?", 4),
        ("差出人: 花子 <h@x.example>\n送信日時: 2025年4月11日 11:28\n件名: 鍵\nいつ", 3),
        ("Date: Fri, 11 Apr 2025 00:15:02\nTo: n@x.example\nFrom: p@x.example\n\nWhen?", 3),
        ("From: Holm Property\n<p@x.example>\nSent: 11 April 2025\nTo: Nora\n\nx", 4),
        ("From: Per <p@x.example>\nDate: 11 April 2025\nSubject: Boiler, the second\nof three\nTo: n@x.example\nx", 5),
        ("From: Per <p@x.example>\nDate: 11 April 2025\nTo: A <a@x.example>,\nB <b@x.example>\nSubject: s\nx", 5),
        ("*From:* p@x.example [mailto:\np@x.example]\n*Sent:* May 4, 2025\n*To:* n@x.example\n", 4),
        ("From:\n\nPer <p@x.example>\n\nDate:\n\n11 April 2025\n\nTo:\n\nNora\n\nSubject: s\n\nx", 13),
        ("From: A <a@x.example>\nDate: 1.1.2025\nTo: " + "\n".join(["B"] * 5), 3),
        ("From: A <a@x.example>\nDate: 1.1.2025\n" + "To: b\n" * 40, 16),
        ("From: A <a@x.example>\nDate: 1.1.2025\nTo: b\nC: d\n> e\nf: g", 4),
        ("From: A\n> b\nDate: 1.1.2025\nTo: b", 0),
        ("From: A <a@x.example>\nDate: today\nSubject: y\nTo: z\n\nx", 4),
        ("From: p@x.example\nTo: n@x.example\nCc:\nDate: Thu, 10 Apr 2025\nKey: none\n\nx", 5),
    ],
)
def test_an_address_and_a_date_make_a_header(body, after):
    assert end(body) == after


@pytest.mark.parametrize(
    "body",
    [
        "From: Berlin\nTo: München\nDate: 11 April 2025, 9:05\nSeat: 42",
        "Date: 11 April 2025\nPlace: Town hall\nRSVP: ann@x.example",
        "Name: Bob\nMail: bob@x.example\nHours: 9:00-17:00",
        "Name: Bob\nPhone: 12",
        "From: Per <p@x.example>\nTo: Nora",
        "no label",
    ],
)
def test_a_list_is_none(body):
    assert end(body) == 0


HEADER = "From: Per <p@x.example>\nDate: 11 April 2025\nSubject: Boiler\nTo: n@x.example\n\nx"


def test_somebody_s_own_line_with_a_colon_is_no_part_of_it():
    assert end(f"PS: bring boats\n\n{HEADER}") == 0
    assert end(f"PS: bring boats\n{HEADER}") == 0
    assert end(f"See below:\n\n{HEADER}") == 0
    assert end(f"Boiler: Boiler\n{HEADER}", subject="boiler") == 5


def test_in_a_reply_the_first_address_may_stand_alone():
    body = "Fra: p@x.example\nSendt: 4. juni 2025 08:15\nTil: Nora\nEmne: x\n"
    assert end(body) == 0
    assert end(body, answer=True) == 4
    assert end("Date: 11 April 2025\nPlace: Town hall\nRSVP: ann@x.example", answer=True) == 0


def test_without_an_address_the_subject_tells_or_what_stands_above():
    body = "From: Per\nSent: 11 April 2025 16:37\nTo: Nora\nSubject: RE: Keys\n\nx"
    assert end(body) == 0
    assert end(body, subject="boats") == 0
    assert end(body, subject="keys") == 4
    assert end(body.replace("RE:", "[EXTERNAL] RE:"), subject="keys") == 4
    assert end("From: Oslo\nTo: Berlin\nDate: 11 April 2025\nSeat: 42", subject="berlin") == 0
    assert end(body, announced=True) == 4


def test_below_an_announcement_less_suffices():
    assert end("From: Per <p@x.example>\nSubject: x\n\ny", announced=True) == 2
    assert end("Von: A\nGesendet: x\nAn: c\n\ny", announced=True) == 0
    assert end("Von: A\nGesendet: x\nAn: c\n\ny", announced=True, sure=True) == 3
    assert end("Von: A\nGesendet: x\n\ny", announced=True, sure=True) == 0
    assert end("From: A <a@x.example>\n\nDate: 1.1.2025\nTo: b\n\n\nSubject: c\n\n\nd", sure=True, announced=True) == 7


ROW = "From: Per <p@x.example>To: <n@x.example>Sent: Friday, April 11, 2025, 09:26:50 AM GMT+1Subject: Boiler"


@pytest.mark.parametrize(
    ("text", "subject", "announced", "told"),
    [
        (f"----- Forwarded Message ----- {ROW}", "", False, (True, "")),
        (ROW, "", False, (True, "")),
        (f"{ROW} It is serviced.", "boiler", False, (True, "It is serviced.")),
        (ROW, "boiler", True, (True, "")),
        ("Contact: Bob <b@x.example>. Date: 11 April 2025. Place: here", "", False, (False, "")),
        ("Contact: Bob <b@x.example>. Date: 11 April 2025. Place: here", "", True, (True, "")),
        ("a@b.example", "", True, (False, "")),
        ("From: Per", "", True, (False, "")),
        ("At: a@b.example 11.4.2025", "", True, (False, "")),
        (ROW * 20, "", True, (False, "")),
    ],
)
def test_a_header_may_be_run_into_one_line(text, subject, announced, told):
    assert block.on_one_line(text, subject=subject, announced=announced) == told


@pytest.mark.parametrize(
    ("subject", "bare"),
    [
        ("Re: Keys", "Keys"),
        ("AW: Re[2]: Keys", "Keys"),
        ("回复：鍵", "鍵"),
        ("Keys", "Keys"),
        ("", ""),
        ("*Fwd: a*", "Fwd: a"),
    ],
)
def test_a_subject_without_prefixes(subject, bare):
    assert block.without_prefixes(subject) == bare

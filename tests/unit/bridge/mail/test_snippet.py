"""Snippets that people would write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import codes, invitation, snippet
from bridge.mail.headers import extract

FORWARDED = "From: A <a@b.example>\nDate: today\nSubject: y\nTo: z\n\nThe forwarded text"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Hi Bob,\n\nlunch at 12?\n\nAnn\n-- \nAnn Bee\nACME", "Hi Bob, lunch at 12? Ann"),
        ("Sure.\n\nOn Mon, Jun 2, 2025 at 10:00 AM Bob <b@x.example> wrote:\n> lunch?\n", "Sure."),
        ("On Mon, Jun 2, 2025 at 10:00 AM Bob Foo\n<b@x.example> wrote:\n\n> lunch?\n\nYes please", "Yes please"),
        ("Ja gern\n\nAm 02.06.25 um 10:00 schrieb Bob:\n> Mittag?", "Ja gern"),
        ("Le 2 juin 2025 à 10:00, Bob a écrit :\n> midi ?\nD'accord", "D'accord"),
        ("Fine\n\nFrom: Bob <b@x.example>\nSent: Monday\nTo: Ann\nSubject: y\n\nold", "Fine"),
        ("FYI see below\n\n---------- Forwarded message ---------\n" + FORWARDED, "FYI see below"),
        ("---------- Forwarded message ---------\n" + FORWARDED, "The forwarded text"),
        ("Begin forwarded message:\n\n" + FORWARDED, "The forwarded text"),
        ("-----Ursprüngliche Nachricht-----\nVon: A\nGesendet: x\nAn: c\nBetreff: d\n\nHallo", "Hallo"),
        ("Yes\n\nSent from my iPhone", "Yes"),
        ("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n-----BEGIN PGP SIGNATURE-----\nabc", "Hello"),
        ("-----BEGIN PGP MESSAGE-----\n\nhQEMA", ""),
        ("====\nTitle\n****\nText\n____", "Title Text"),
        ("🎉🎉\nDone", "🎉🎉 Done"),
        ("Bob wrote:\n> When?\n\nNext week.\n" + "_" * 47 + "\ndev mailing list -- dev@l.example\n", "Next week."),
        ("Bob wrote:\nWe meet at nine.", "Bob wrote: We meet at nine."),
        ("Ask ann@x.example<mailto:ann@x.example> first", "Ask ann@x.example first"),
        ("** Hello friends\n-----\n**Bold** words **", "Hello friends **Bold** words"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_quotes_signatures_and_marks_are_left_out(body, said):
    assert snippet.make(body) == said


HEADER = "From: Per <p@x.example>\nSent: Friday, April 11, 2025 4:37 PM\nTo: Nora <n@x.example>\nSubject: Keys\n"
ANSWERED = "On Fri, Apr 11, 2025 at 1:18 PM Per <p@x.example> wrote:\n\n> When?\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"Hi Per,\n\n{ANSWERED}\nAt five.\n", "Hi Per, At five."),
        (f"At five.\n\n{ANSWERED}\nBye", "At five."),
        (f"{ANSWERED}\nAt five.\n> Where?\nAt home.", "At five. At home."),
        (ANSWERED, "When?"),
        ("> > When?\n> \n", "When?"),
        ("> " * 20 + "x", ""),
        ("Per skrev:\n> When?\n\nAt five.", "At five."),
        ("You know what she said:\n> When?\n\nAt five.", "At five."),
        ("Well.\n\nHere is the list:\n> boats\n\nBye", "Well. Here is the list: Bye"),
        ("At five.\n\nPer skrev:\n> When?", "At five."),
        (f"See below:\n\n{HEADER}\nWhen?", "See below:"),
        (f"-- \nNora\nACME\n\n---------- x y ---------\n{HEADER}\nWhen?", "When?"),
        (
            f"Forwarded message:\n\n> {HEADER.replace(chr(10), chr(10) + '> ')}\n> A long line\nbroken here.\n> More",
            "A long line broken here. More",
        ),
        (f"At five.\n\n{HEADER}\nWhen?\n\n{HEADER}\nOld", "At five."),
        ("Takk\n\nSendt fra min iPad", "Takk"),
        ("Kiitos\n\nLähetetty iPhonesta", "Kiitos"),
        ("Tak\n\nSendt fra Mail til Windows", "Tak"),
        ("ありがとう\n\niPhoneから送信\n\n> x", "ありがとう"),
        ("Teşekkürler\n\niPhone'umdan gönderildi\n--\nx", "Teşekkürler"),
        ("Skickat från min iPhone\n\n> 11 apr. 2025 kl. 13:09 skrev Per <p@x.example>:\n> \n> When?", "When?"),
        ("Sendt fra min iPad\n\nAt five.", "Sendt fra min iPad At five."),
        ("Dear all,\n\nI bought a new iPhone.\n\nCall me there.", "Dear all, I bought a new iPhone. Call me there."),
        ("I like\nmy new Galaxy", "I like my new Galaxy"),
    ],
)
def test_what_is_quoted_is_known_by_its_shape(body, said):
    assert snippet.make(body) == said


def test_the_subject_tells_a_header_block_without_addresses():
    body = "Yes.\n\nFrom: Per\nSent: April 11, 2025 4:37 PM\nTo: Nora\nSubject: Keys\n\nWhen?"
    assert snippet.make(body, subject="Re: Keys") == "Yes."
    assert snippet.make(body, subject="Boats").startswith("Yes. From: Per")
    row = body[6:].replace("\n", " ").replace("Per", "Per <p@x.example>").replace("Nora", "Nora <n@x.example>")
    assert snippet.make(row, subject="Fwd: Keys") == "When?"


def test_so_does_where_the_quote_begins_if_the_page_words_it_otherwise():
    plain = b"Yes, x.example/a. Bye.\n\nPer, some day last week\n\nWhen?\n"
    page = b"<div>Yes, <a>here</a>. Bye.</div><div class=gmail_quote><div>Per, some day last week</div>When?</div>"
    raw = ALTERNATIVE % (b"Content-Type: text/plain", plain, b"Content-Type: text/html", page)
    assert extract(raw, size=len(raw)).snippet == "Yes, x.example/a. Bye."
    raw = raw.replace(b"Per, some", b"Per", 1)
    assert extract(raw, size=len(raw)).snippet == "Yes, x.example/a. Bye. Per day last week When?"


def test_in_a_reply_what_leads_to_a_quote_is_left_out_with_it():
    body = "Yes.\n\nOn Monday, Per wrote:\n> When?\n\nBye"
    assert snippet.make(body, subject="Re: Keys") == "Yes. Bye"
    assert snippet.make(body, subject="Keys") == "Yes. On Monday, Per wrote: Bye"


def test_a_mail_of_nothing_but_fields_shows_them():
    form = b"Name: Bob <bob@example.net>\nDate: 11 April 2025\nText: I want a boat\n"
    assert snippet.make(form.decode()) == ""
    said = "Name: Bob <bob@example.net> Date: 11 April 2025 Text: I want a boat"
    assert extract(b"Subject: Boats\n\n" + form, size=99).snippet == said
    assert extract(b"Subject: Fwd: Boats\n\n" + form, size=99).snippet == ""


def test_what_the_page_says_of_its_quote_counts_for_the_plain_part():
    plain = b"Yes.\n\nPer, last week\n\nWhen?\n"
    page = b"<div>Yes.</div><div class=gmail_quote><div>Per, last week</div><div>When?</div></div>"
    raw = ALTERNATIVE % (b"Content-Type: text/plain", plain, b"Content-Type: text/html", page)
    assert extract(raw, size=len(raw)).snippet == "Yes."
    raw = ALTERNATIVE % (b"Content-Type: text/plain", b"No.", b"Content-Type: text/html", page)
    assert extract(raw, size=len(raw)).snippet == "No."
    raw = ALTERNATIVE % (b"Content-Type: text/plain", plain, b"Content-Type: text/html", b"<div>Yes.</div>")
    assert extract(raw, size=len(raw)).snippet == "Yes. Per, last week When?"
    raw = raw.replace(b"/alternative", b"/mixed").replace(b"<div>Yes.</div>", page)
    assert extract(raw, size=len(raw)).snippet == "Yes. Per, last week When?"


@pytest.mark.parametrize(
    "line",
    [
        "View this email in your browser",
        "View in browser",
        "Having trouble viewing this email? Click here.",
        "If you can't see the images, click here to view online version",
        "Falls diese E-Mail nicht richtig angezeigt wird, klicken Sie bitte hier.",
        "Si ce message ne s'affiche pas correctement, cliquez ici",
        "Se questa email non viene visualizzata correttamente, clicca qui",
        "Ver en el navegador",
        "Bekijk deze mail online",
        "Unsubscribe | Manage preferences",
        "Your email client does not support HTML.",
        "This is a multi-part message in MIME format.",
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments.",
        "[EXTERNAL] This message came from outside your organisation.",
        "The sender of this message is outside our company.",
        "[image: Logo]",
        "View this email in your browser (https://mailchi.mp/abc/def?e=0123456789)",
        "CAUTION: This email came from outside of the organization. Do not click links unless you know the sender.",
        "[EXTERNAL EMAIL] DO NOT CLICK links or attachments unless you recognize the sender.",
        "You don't often get email from bob@corp.example. Learn why this is important",
        "##- Please type your reply above this line -##",
        "This message contains HTML content. To read it, please enable HTML in your mail program or open it online:",
        "https://click.example.com/t?id=0123456789abcdef",
        "\u034f \u200c\u00a0\u034f \u200c\u00a0\u00ad",
    ],
)
def test_boilerplate_is_left_out(line):
    assert snippet.make(f"{line}\n\nBig summer sale\n") == "Big summer sale"


@pytest.mark.parametrize(
    "line",
    [
        "I can't open it in the browser, help",
        "The browser crashed",
        "Your mail is outside the scope of this list",
        "We met outside the company",
        "Sent from Paris with love",
        "Please read the report about version 2 of our website today",
        "On Monday we wrote a test",
        "Do not click the link before we have talked",
        "The parcel came from outside the country",
        "Please write your name above this line of the form",
    ],
)
def test_what_people_write_about_browsers_stays(line):
    assert snippet.make(line) == line


def test_links_are_short_or_gone():
    assert snippet.make("Story: https://example.com/a/ now") == "Story: example.com/a now"
    assert snippet.make("Pay <https://example.com/pay?token=abc> today") == "Pay today"
    assert snippet.make("https://meet.example.com/j/1?pwd=x") == ""
    assert snippet.instead("https://meet.example.com/j/1?pwd=x") == "meet.example.com"


def test_a_first_line_that_repeats_the_subject_is_left_out():
    assert snippet.make("Big sale\nStarts now", subject="Big sale") == "Starts now"
    assert snippet.make("Big sale", subject="Big sale") == ""
    assert snippet.instead("Big sale", subject="Big sale") == "Big sale"


def test_scripts_come_out_intact_and_cut_between_characters():
    for said in (
        "שלום \u200fעולם! מה שלומך?",
        "می\u200cخواهم بروم",
        "会議のお知らせです。",
        "👩\u200d👩\u200d👧‍👦 family",
    ):
        assert snippet.make(said) == said
    family = "👩\u200d👩\u200d👧\u200d👦"
    cut = snippet.make(family * 100)
    assert len(cut) <= snippet.LONGEST
    assert cut.removesuffix("…").replace(family, "") == ""


@pytest.mark.parametrize(
    ("subject", "body", "code"),
    [
        ("Your code", "Hello Ann,\nYour verification code is 482913. It expires in 10 minutes.", "482913"),
        ("482913 is your Foo verification code", "Use it soon.", "482913"),
        ("G-482913 is your Google verification code", "Hi", "G-482913"),
        ("Anmeldung", "Dein Bestätigungscode lautet: 123 456\nGib ihn niemandem.", "123 456"),
        ("Connexion", "Votre code de vérification : 8841", "8841"),
        ("验证码", "您的验证码是 559812，请在5分钟内输入。", "559812"),
        ("Вход", "Код подтверждения: 90210", "90210"),
        ("Login", "Enter this code to sign in:\n\nABC-123\n\nIf it was not you, ignore it.", "ABC-123"),
        ("Login", "Here is your single-use code:\n7Q2K9X", "7Q2K9X"),
        ("Bank", "Your OTP: 8812 for ₹500.00", "8812"),
        ("Login", "Enter the following code:\n\n    4 8 2 9 1 3\n\nThanks", "4 8 2 9 1 3"),
        ("Login", "Here is the Steam Guard code you need to login to account ann:\n\nR7XKP", "R7XKP"),
        ("Connexion", "Voici votre code à usage unique :\n\n84 12 09\n\nIl est valable 5 minutes.", "84 12 09"),
        ("Logowanie", "Twój kod jednorazowy to: 112358", "112358"),
        ("Вход", "Ваш код для входа: 447712. Никому его не сообщайте.", "447712"),
        ("Giriş", "Doğrulama kodunuz: 774411. Kimseyle paylaşmayın.", "774411"),
        ("دخول", "رمز التحقق الخاص بك هو 660123.", "660123"),
        ("כניסה", "קוד האימות שלך הוא 660123", "660123"),
        ("Logga in", "Din engångskod är 660123.", "660123"),
        ("TAN", "TAN für 1.250,00 EUR auf das Konto DE12 3456 7890 1234 5678 90 lautet: 736281", "736281"),
        ("OTP", "OTP for transaction of Rs. 4500 at SHOP on card XX1234 is 889900. Do not share.", "889900"),
        ("OTP", "Your One Time Password for Rs 4500 on the card ending 1234 is 889900", "889900"),
        ("Login", "Your verification code has been sent to the phone ending 4321.", ""),
        ("PIN", "Your PIN was changed. If this was not you call 0800 123456.", ""),
        ("Security", "Your security code was changed. Reference 99887766", ""),
        ("Review", "Here is your code review: 1234 files changed", ""),
        ("Sale", "Use promo code SAVE2024 to get 20% off", ""),
        ("Address", "Your zip code 90210 was updated", ""),
        ("Notes", "See the code review at line 4821", ""),
        ("Invoice", "Your invoice number 12345678 is due. Log in with your password.", ""),
        ("Access", "Your access code expires in 2026.", ""),
        ("Price", "Your login code costs $1234", ""),
    ],
)
def test_one_time_codes_stand_first(subject, body, code):
    assert codes.find(subject, body) == code
    said = snippet.make(body, subject=subject)
    assert said.startswith(f"{code} · " if code else body[:8])


def test_a_code_is_never_part_of_a_longer_number():
    for gap in range(40, 120):
        assert codes.find(f"Your code {'x' * gap} 482913 y") in {"482913", ""}
        assert codes.find(f"4829137 {'x' * gap} is your code") in {"4829137", ""}


INVITATION = b"""BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Paris
BEGIN:STANDARD
DTSTART:19701025T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=Europe/Paris:20250612T090000
DTEND;TZID=Europe/Paris:20250612T103000
SUMMARY:Planning\\, part 2 \xe2
 \x98\x83
LOCATION:Room\\n5
END:VEVENT
END:VCALENDAR
"""


def test_an_invitation_says_title_time_and_place():
    assert invitation.describe(INVITATION) == "Planning, part 2 ☃, Thu 2025-06-12 09:00–10:30 Europe/Paris, Room 5"
    raw = b"Content-Type: text/calendar; method=REQUEST\n\n" + INVITATION
    assert extract(raw, size=len(raw)).snippet.startswith("Planning, part 2 ☃, Thu 2025-06-12 09:00")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b"DTSTART;VALUE=DATE:20250612\nSUMMARY:Fair", "Fair, Thu 2025-06-12"),
        (b"DTSTART;VALUE=DATE:20250612\nDTEND;VALUE=DATE:20250613\nSUMMARY:Fair", "Fair, Thu 2025-06-12"),
        (b"DTSTART;VALUE=DATE:20250612\nDTEND;VALUE=DATE:20250615\nSUMMARY:Fair", "Fair, Thu 2025-06-12–2025-06-14"),
        (b"DTSTART:20250612T090000Z\nSUMMARY:Call", "Call, Thu 2025-06-12 09:00 UTC"),
        (b"DTSTART:20250612T230000\nDTEND:20250613T010000", "Thu 2025-06-12 23:00–2025-06-13 01:00"),
        (b"DTSTART:20251399T990000\nSUMMARY:Odd", "Odd"),
        (b"X:y", ""),
    ],
)
def test_events_of_all_kinds(lines, said):
    assert invitation.describe(b"BEGIN:VEVENT\n" + lines + b"\nEND:VEVENT\n") == said


ALTERNATIVE = b"Content-Type: multipart/alternative; boundary=b\n\n--b\n%s\n\n%s\n--b\n%s\n\n%s\n--b--\n"


@pytest.mark.parametrize(
    ("plain", "other", "content", "said"),
    [
        (b"https://t.example/?a=b", b"Content-Type: text/html", b"<p>Words</p>", "Words"),
        (b"https://t.example/?a=b", b"Content-Type: text/html", b"<p></p>", "t.example"),
        (b"", b"Content-Type: text/html", b'<a href="x"><img src="y" alt="Half price"></a>', "Half price"),
        (b"<html><style>p{}</style><p>All <b>well</b></p></html>", b"Content-Type: text/x-none", b"", "All well"),
        (b"<3 you</b>", b"Content-Type: text/x-none", b"", "<3 you</b>"),
        (
            b"",
            b"Content-Type: text/calendar; method=CANCEL",
            b"BEGIN:VEVENT\nSUMMARY:Call\nDTSTART:20250612T090000Z\nEND:VEVENT",
            "Call, Thu 2025-06-12 09:00 UTC",
        ),
    ],
)
def test_where_the_plain_part_says_nothing_the_others_are_asked(plain, other, content, said):
    raw = ALTERNATIVE % (b"Content-Type: text/plain", plain, other, content)
    assert extract(raw, size=len(raw)).snippet == said


@given(st.text(max_size=2_000), st.text(max_size=40))
def test_any_body_gives_a_bounded_line(body, subject):
    said = snippet.make(body, subject=subject)
    assert len(said) <= snippet.LONGEST
    assert len(said.splitlines()) <= 1


def test_a_page_that_calls_itself_plain_text_is_read_as_a_page():
    page = b"\n<!DOCTYPE html><html><body><p>Hello <b>world</b></p></body></html>"
    assert extract(b"Content-Type: text/plain\n\n" + page, size=99).snippet == "Hello world"
    assert extract(b"Content-Type: text/plain\n\nThe <html> tag", size=99).snippet == "The <html> tag"


FLAG, ZERO_WIDTH = "\U0001f1e9\U0001f1ea", "\u200b"


@pytest.mark.parametrize("padding", [1_800, 1_846, 1_847, 16_000])
def test_padding_does_not_eat_the_room_of_words(padding):
    assert snippet.make(f"Hi there {ZERO_WIDTH * padding}{FLAG} and more") == f"Hi there {FLAG} and more"


@pytest.mark.parametrize("padding", [16_374, 16_375, 20_000])
def test_what_is_beyond_the_searched_part_of_a_body_leaves_its_mark(padding):
    assert snippet.make(f"Hi there {FLAG} {ZERO_WIDTH * padding}{FLAG}") == f"Hi there {FLAG} …"


def test_neither_do_blank_lines_and_what_is_beyond_the_last_line_leaves_its_mark():
    assert snippet.make("Hi\n" + "\n \n\t\n" * 3_000 + "there") == "Hi there"
    assert snippet.make("Hi\n" + "> no\n" * 998 + "a\nb\nc") == "Hi a…"
    assert snippet.make("Hi\n" + "> no\n" * 998 + "a") == "Hi a"


def test_so_does_what_is_beyond_the_decoded_part():
    head = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    raw = head + b"Hi there " + b"=E2=80=8B" * 8_000 + b" and more"
    assert extract(raw, size=len(raw)).snippet == "Hi there …"


@pytest.mark.parametrize("space", [b" ", b"\xe2\x80\x83"])
def test_a_subject_beyond_what_is_read_ends_in_whole_characters(space):
    for length in (2_254, 16_000 // len(space)):
        raw = b"Subject: A" + space * length + FLAG.encode() + b"\n\n"
        assert extract(raw, size=len(raw)).subject == f"A {FLAG}"
    raw = b"Subject: A" + space * 20_000 + FLAG.encode() + b"\n\n"
    assert extract(raw, size=len(raw)).subject == "A…"

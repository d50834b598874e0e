"""One-time codes: the number that is said to be it, in any language and its digits, and no other number."""

from __future__ import annotations

import random

import pytest

from bridge.mail import codes
from tests.support.announcements import LANGUAGES
from tests.support.processor import least_s


def digits(chance: random.Random, length: int) -> str:
    """A number that is no year."""
    return f"{chance.choice('3456789')}{''.join(chance.choices('0123456789', k=length - 1))}"


def code(subject: str, body: str) -> str:
    return codes.find(subject, " ".join(body.split()), body)


@pytest.fixture(params=LANGUAGES)
def language(request):
    return LANGUAGES[request.param]


@pytest.fixture
def chance(request):
    return random.Random(request.node.name)


def test_a_code_is_found_wherever_it_stands(language, chance):
    for length in (4, 5, 6, 7, 8):
        number = language.written(digits(chance, length))
        assert code("x", language.says.format(number)) == number
        assert code("x", language.asks.format(number)) == number
        assert code(language.subject, language.bids.format(number)) == number
        assert code("x", f"{language.subject}\n\n{number}\n") == number
        assert code("x", f"{language.subject}: {number}") == number
        assert code(f"{number} – {language.subject}", "x") == number


def test_the_number_of_something_else_never_wins(language, chance):
    for length in (4, 5, 6, 7, 8):
        number = language.written(digits(chance, length))
        says = language.says.format(number)
        for form in language.others:
            other = form.format(language.written(digits(chance, chance.choice([6, 7, 8]))))
            assert code("x", f"{other}. {says}") == number
            assert code("x", f"{says} {other}.") == number
            assert code("x", f"{other}\n{says}\n{other}") == number
            assert code(other, says) == number
            assert code(f"{language.subject}, {other}", says) == number
            assert code(language.subject, f"{language.bids.format(number)}\n{other}") == number


def test_without_a_code_no_number_is_one(language, chance):
    for form in language.others:
        other = form.format(language.written(digits(chance, 6)))
        assert code(language.subject, other) == ""
        assert code(other, other) == ""


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("735206", "735206"), ("735 206", "735 206"), ("735-206", "735-206"), ("7352-0612", "7352-0612"),
        ("73 52 06", "73 52 06"), ("73-52-06-12", "73-52-06-12"), ("7 3 5 2 0 6", "7 3 5 2 0 6"),
        ("7\n3\n5\n2\n0\n6", "7 3 5 2 0 6"), ("7\t3\t5\t2", "7 3 5 2"), ("735\u00a0206", "735\u00a0206"),
        ("G-735206", "G-735206"), ("A3F9K2", "A3F9K2"), ("K2P-9XR", "K2P-9XR"), ("QGFDAE", "QGFDAE"),
        ("au8kuf", "au8kuf"), ("\u2066735206\u2069", "735206"), ("**735206**", "735206"), ("[735206]", "735206"),
        ("『735206』", "735206"), ("2025", "2025"), ("123", ""), ("12.735206", ""), ("735206%", ""), ("$7352", ""),
        ("7352 EUR", ""), ("192.0.2.14", ""), ("555-0134", ""),
    ],
)  # fmt: skip
def test_the_form_of_a_code(written, found):
    assert " ".join(code("x", f"Your code is: {written}").split()) == " ".join(found.split())


def test_what_is_quoted_has_no_code():
    for quoted in ("> Your code is 735206", "\ufdd0Your code is 735206\n\ufdd2", "\ufdd3Your code is 735206"):
        assert codes.find("Re: login", "It never came.", f"It never came.\n{quoted}\n") == ""
    assert codes.find("Re: login", "", "\ufdd0Your code is 735206\n\ufdd2My code is 4711") == "4711"


def test_the_numbers_of_lines_are_no_code():
    assert codes.find("x", "", "Your code:\n1\n2\n3\n4\n5") == ""


@pytest.mark.parametrize(
    ("subject", "body", "found"),
    [
        ("Your code for order 12345678", "Use code 4930 to confirm delivery of order 12345678.", "4930"),
        ("x", "735206 is the verification code for ticket 5571093.", "735206"),
        ("x", "Your verification code for shipment 889231 is 735206", "735206"),
        ("x", "Your code for account 88123456 (ticket 5571093) is: 735206", "735206"),
        ("x", "Ihr Sicherheitscode für Kunde 88123456, Vertrag 1234567: 4711", "4711"),
        ("x", "Verification code\n\nValid for order 5571093\n\n735206", "735206"),
        ("x", "Verification code\n\n" + "Words that go on. " * 20 + "\n\n735206", "735206"),
        ("Access", "To access your account: 735206\nUse this code only once.", "735206"),
        ("Confirm", "Enter 735206 to confirm your address. The code is good for 10 minutes.", "735206"),
        ("Acme: 735206", "Use this verification code to sign in.", "735206"),
        ("x", "TAN 735206 für Überweisung von 4711,00 EUR auf Konto 12345678", "735206"),
        ("x", "Le code à saisir pour votre achat de 200,00 EUR est 73520612.", "73520612"),
        ("x", "Votre code de vérification, 120 caractères après la phrase qui l'annonce.", ""),
        ("x", "Ihr Passwort: 735206", "735206"),
        ("x", "Login code: 1122334455", "1122334455"),
        ("Your login code", "Call 0301234567 if you need help.", ""),
        ("Your login code", "It was sent to 12345678.", ""),
        ("x", "Code: 1234567890", ""),
        ("Your password was changed", "If that was not you, write to us.\nAcme, Hauptstr. 5, 10115 Berlin", ""),
        ("Your discount code inside", "Take 15% off your next order with code 55555.", ""),
        ("x", "Share your referral code 483921 and you both get $10.", ""),
        ("x", "Order code: 735206", ""), ("x", "Kod pocztowy: 70950", ""), ("x", "优惠码 735206", ""),
        ("x", "エラーコード：735206", ""), ("x", "code promo 735206", ""), ("x", "your vscode is: 12312312", ""),
        ("x", "your code: EXPIRES", "EXPIRES"), ("x", "YOUR LOGIN CODE: EXPIRES", ""),
        ("x", "Meeting ID: 812 3456 7890\nPasscode: 735206", ""),
        ("Re: login", "> Your code is 735206\n\nIt never came, sorry.", ""),
        ("Security advisory", "It could be used to execute arbitrary code. Update to 301114.", ""),
        ("x", "Meeting number (access code): 2345 678 9012\nMeeting password: 735206", ""),
        ("code", "diff --git a/x b/x\n- code = 123456\n+ code = 654321", ""),
        ("x", "UPS battery low. Event code 4011.", ""), ("x", "Dial-in PIN: 735206#", ""),
        ("x", "Ihr Gutscheincode: K7XQ4-22", ""), ("x", "Votre code postal : 75001", ""),
        ("x", "Your parcel waits in locker 4. Pickup code: 735206", "735206"),
        ("x", "<#>735206 is the OTP for a/c no ending 5678", "735206"),
        ("Password expires", "Your password expires in 14 days, on 20250424. Help desk 4711.", ""),
        ("x", "Process finished with exit code 40404 after 1234 seconds", ""),
        ("x", "The code style check failed in build 735206, see the log.", ""),
        ("x", "בנקודת 735206", ""), ("x", "crocodile 735206", ""),
        ("x", "The code there uses 4096 sheep. " + "It goes on and on with words. " * 30, ""),
    ],
)  # fmt: skip
def test_what_is_said_counts_more_than_what_is_near(subject, body, found):
    assert code(subject, body) == found


@pytest.mark.parametrize(
    "unit",
    [
        "kod" * 8 + " order ID: 12 34 735206 ",
        "코드1234 ",
        "your code number 1234: ",
        "1 ",
        "a" * 60 + "code ",
        "nr ",
        "+1 ",
    ],
)
def test_any_text_is_searched_at_once(unit):
    text = (unit * 2_000)[:4_000]
    assert least_s(lambda: code(text, text), bound_s=0.1) < 0.1

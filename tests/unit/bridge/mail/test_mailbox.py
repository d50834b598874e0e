"""The sender: a name and an address out of whatever stands in a From field."""

from __future__ import annotations

import pytest

from bridge.mail import mailbox
from tests.support.processor import least_s
from tests.unit.bridge.mail.clean import read


@pytest.mark.parametrize(
    ("field", "name", "address"),
    [
        (b"a@example.org", "", "a@example.org"),
        (b"Ann Bee <a@example.org>", "Ann Bee", "a@example.org"),
        (b'"Bee, Ann" <a@example.org>', "Bee, Ann", "a@example.org"),
        (b"Bee, Ann <a@example.org>", "Bee, Ann", "a@example.org"),
        (b"a@example.org (Ann Bee)", "Ann Bee", "a@example.org"),
        (b"ceo@bank.example <evil@example.net>", "ceo@bank.example", "evil@example.net"),
        (b'"ceo@bank.example" <evil@example.net>', "ceo@bank.example", "evil@example.net"),
        (b'"x <ceo@bank.example>" <evil@example.net>', "x <ceo@bank.example>", "evil@example.net"),
        (b"ceo@bank.example(<evil@example.net>)", "<evil@example.net>", "ceo@bank.example"),
        (b"(ceo@bank.example) evil@example.net", "ceo@bank.example", "evil@example.net"),
        (b"=?utf-8?q?ceo=40bank.example=3E=2C?= <evil@example.net>", "ceo@bank.example>,", "evil@example.net"),
        (b"<@relay.example,@other.example:a@example.org>", "", "a@example.org"),
        (b"Ann <a (comment) @ example . org>", "Ann", "a@example.org"),
        (b"Team: Ann <a@example.org>, b@example.org;", "Ann", "a@example.org"),
        (b"undisclosed-recipients:;", "", ""),
        (b"First <a@example.org>, Second <b@example.org>", "First", "a@example.org"),
        (b"Ann a@example.org", "Ann", "a@example.org"),
        (b'"john doe"@example.org', "", '"john doe"@example.org'),
        (b'"Ann \\"the\\" Bee" <a@example.org>', 'Ann "the" Bee', "a@example.org"),
        (b"'Ann' <A@Example.ORG>", "Ann", "a@example.org"),
        (b"MAILER DAEMON <>", "MAILER DAEMON", ""),
        (b"Ann <a@example.org", "Ann", "a@example.org"),
        (b"=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M=C3=BC?= <j@example.org>", "Jörg Mü", "j@example.org"),
        (b"J\xc3\xb6rg <j\xc3\xb6rg@example.org>", "Jörg", "jörg@example.org"),
        (b"a@example.org (Name (nested) Here)", "Name (nested) Here", "a@example.org"),
        (rb"a@example.org (Ann \) Bee)", "Ann ) Bee", "a@example.org"),
        (b'a@example.org (5" of "Ann)', '5" of "Ann', "a@example.org"),
        (b'a@example.org (=?utf-8?q?J=C3=B6rg?= "B")', 'Jörg "B"', "a@example.org"),
        (b"a@example.org (Ann Bee", "Ann Bee", "a@example.org"),
        (b"Ann <a@example.org> (Ann Bee", "Ann", "a@example.org"),
        (b"ceo@bank.example (<evil@example.net>", "<evil@example.net>", "ceo@bank.example"),
        (b"ceo@bank.example, (<evil@example.net>", "", "ceo@bank.example"),
        (b"(Ann <a@example.org>", "Ann", "a@example.org"),
        (b"root (Charlie Root", "Charlie Root", "root"),
        (b'Ann <"john  doe" @ example.org>', "Ann", '"john doe"@example.org'),
        (b'Ann <"a(b)c"@example.org>', "Ann", '"a(b)c"@example.org'),
        (b'"Ann Bee <a@example.org>', "Ann Bee", "a@example.org"),
        (b'"Ann" Bee" <a@example.org>', "Ann Bee", "a@example.org"),
        (rb'"Ann\" <a@example.org>', "Ann\\", "a@example.org"),
        (b'"a@example.org', "", "a@example.org"),
        (b'"Bee, Ann <a@example.org>', "Bee, Ann", "a@example.org"),
        (b'"Nora Lind <nora@example.org>"', "Nora Lind", "nora@example.org"),
        (b'"nora@example.org"', "", "nora@example.org"),
        (b'"=?utf-8?Q?Nora?= <nora@example.org>"', "Nora", "nora@example.org"),
        (b"<Nora Lind> <nora@example.org>", "Nora Lind", "nora@example.org"),
        (b"<> <nora@example.org>", "", "nora@example.org"),
        (b"Nora <mailto:nora@example.org>", "Nora", "nora@example.org"),
        (b"Nora [nora@example.org]", "Nora", "nora@example.org"),
        (b"Nora nora@[192.0.2.1]", "Nora", "nora@[192.0.2.1]"),
        ("Nora ＜nora@example.org＞".encode(), "Nora", "nora@example.org"),
        (b"=?utf-8?Q?B=C3=BCro?=\r\n <Wasserwerk B#ro <bill@example.net>", "Büro", "bill@example.net"),
        (b"<Wasserwerk <bill@example.net>", "Wasserwerk", "bill@example.net"),
        (b"Ann <<a@example.org>>", "Ann", "a@example.org"),
        (b"Ann <<a@example.org", "Ann", "a@example.org"),
        (b"<ceo@bank.example <evil@example.net>", "ceo@bank.example", "evil@example.net"),
        (b"Ann <a@example.org <B>", "Ann", "a@example.org"),
        (b"Ann <a@example.org> <b@example.org>", "Ann", "a@example.org"),
        (b'=?UTF-8?Q?"B=C3=BCro,_Nord?=\r\n =?UTF-8?Q?"_<per@example.net>?=', "Büro, Nord", "per@example.net"),
        (b"=?utf-8?B?Tm9yYSA8bm9yYUBleGFtcGxlLm9yZz4=?=", "Nora", "nora@example.org"),
        (b"=?utf-8?q?Nora?= =?utf-8?q?_<nora@example.org>?=", "Nora", "nora@example.org"),
        (b"=?utf-8?q?nora=40example.org?=", "", "nora@example.org"),
        (b"Nora <=?utf-8?q?nora=40example.org?=>", "Nora", "nora@example.org"),
        (b"Nora <=?utf-8?q?no_address?=>", "Nora", ""),
        (b"=?utf-8?q?ceo=40bank.example?=, evil@example.net", "ceo@bank.example", ""),
        (b"Nora <=?utf-8?q?ceo=40bank.example?=>, evil@example.net", "Nora", ""),
        (b"=?utf-8?q?Nora_Lind?=", "Nora Lind", ""),
        (b"=?utf-8?q?ceo@bank.example?= <evil@example.net>", "ceo@bank.example", "evil@example.net"),
        (b"=?utf-8?q?ceo@bank.example?= evil@example.net", "ceo@bank.example", "evil@example.net"),
        (b"=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=40b=3F=3D?=", "a@b", ""),
        (b"=?utf-8?Q?J=C3=B6rg <j@example.org>", "Jörg", "j@example.org"),
        (b"=?utf-8?B?SsO2cmc <j@example.org>", "Jörg", "j@example.org"),
        (b"=?utf-8?x?abc?= <j@example.org>", "", "j@example.org"),
        (b"=?utf-8?x?abc@example.org?=", "", ""),
        (b"=?utf-8?Q?J=C3=B6rg", "Jörg", ""),
        (b"=?utf-8 <j@example.org>", "", "j@example.org"),
        (b"=?", "", ""),
        (b"", "", ""),
        (b",,,", "", ""),
    ],
)
def test_sender(field, name, address):
    extracted = read(b"From: " + field + b"\r\n\r\n")
    assert (extracted.from_name, extracted.from_address) == (name, address)


def test_names_and_addresses_hide_nothing():
    name = "=?utf-8?q?PayPal=E2=80=AE=E2=80=8B=E2=80=8D=EF=BB=BF_Inc=E2=80=8F?="
    extracted = read(f"From: {name} <a\u202e\u200bb@example.org>\r\n\r\n".encode())
    assert extracted.from_name == "PayPal Inc"
    assert extracted.from_address == "ab@example.org"


def test_joiners_stay_where_they_shape_a_name():
    for name in ("میترا\u200cخان", "👩\u200d💻 Dev", "ශ්\u200dරී"):
        assert read(f"From: {name} <a@example.org>\r\n\r\n".encode()).from_name == name


def test_a_line_break_in_an_encoded_word_adds_no_field():
    extracted = read(b"Subject: =?utf-8?q?a=0D=0AFrom:_evil=40example.net?=\r\nFrom: a@example.org\r\n\r\n")
    assert extracted.subject == "a From: evil@example.net"
    assert extracted.from_address == "a@example.org"


def test_sender_field_stands_in_for_a_missing_from():
    assert read(b"Sender: a@example.org\r\n\r\n").from_address == "a@example.org"


@pytest.mark.parametrize(
    "unit",
    [b'"', b'"\\', b'\\"', b"(", b"\\(", b"((((((()", b"a@b(", b"(a", b'"a', b'<"', b"@(,", b"a,(", b'"(', b'("'],
)
def test_an_address_list_costs_linear_time(unit):
    """Measured at most 6 ms."""
    lists = [unit * (8_000 // len(unit)) + end for end in (b"", b"<a@example.org>")]
    assert least_s(lambda: [mailbox.sender(each) for each in lists], bound_s=0.2) < 0.2

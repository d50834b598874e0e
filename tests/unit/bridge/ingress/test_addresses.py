from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import MalformedAddressError, SmtpError
from bridge.ingress.addresses import (
    LONGEST_PATH,
    BadParameterError,
    MailParameters,
    UnknownParameterError,
    check_recipient_parameters,
    mail_parameters,
    parse_path,
)


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("<a@b.example>", "a@b.example", ""),
        ("<a@b.example> SIZE=1 BODY=7BIT", "a@b.example", "SIZE=1 BODY=7BIT"),
        ("  <a@b.example>  SIZE=1", "a@b.example", "SIZE=1"),
        ("<>", "", ""),
        ("<> SIZE=1", "", "SIZE=1"),
        ("<postmaster>", "postmaster", ""),
        ("<@x.example:a@b.example>", "a@b.example", ""),
        ("<@x.example,@y.example:a@b.example>", "a@b.example", ""),
        ('<"a b"@c.example>', '"a b"@c.example', ""),
        (r'<"a\"> b"@c.example> SIZE=1', r'"a\"> b"@c.example', "SIZE=1"),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]", ""),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", ""),
        ("<a.@b.example>", "a.@b.example", ""),
        ("<a..b@c.example>", "a..b@c.example", ""),
        ("a@b.example", "a@b.example", ""),
        ("a@b.example SIZE=1", "a@b.example", "SIZE=1"),
        ("<ü@é.example>", "ü@é.example", ""),
        ("<user+tag/x=y@b.example>", "user+tag/x=y@b.example", ""),
    ],
)
def test_a_path_is_taken_apart(text, address, rest):
    assert parse_path(text) == (address, rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "<a@b.example",
        "<a@b.example>x",
        "<a@b.example>SIZE=1",
        "<a@@b.example>",
        "<a@b@c.example>",
        "<@b.example>",
        "<a@>",
        "<a b@c.example>",
        '<"a@b.example>',
        '<"a"b@c.example>',
        "<a@b.example,c@d.example>",
        "<a@b c.example>",
        "<a\x00@b.example>",
        '<"a\nb"@c.example>',
        "<a\ud800@b.example>",
        "<a@[192.0.2.1>",
        "<" + "a" * LONGEST_PATH + "@b.example>",
        "a" * (LONGEST_PATH + 1),
        "<" + "@x.example," * 200 + ":a@b.example>",
    ],
)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(MalformedAddressError):
        parse_path(text)


@given(st.text(alphabet='<>@",:;\\ab.é[] \t\r\n\x00=', max_size=60))
def test_a_path_is_an_address_without_controls_or_an_error(text):
    try:
        address, _ = parse_path(text)
    except MalformedAddressError:
        return
    assert address.isprintable()
    assert "<" not in address or address.startswith('"')


def test_parameters_of_mail():
    assert mail_parameters("SIZE=10 BODY=8BITMIME SMTPUTF8") == MailParameters(10, utf8=True)
    assert mail_parameters("ret=full envid=x auth=<>") == MailParameters()


@pytest.mark.parametrize("text", ["SIZE", "SIZE=x", "SIZE=-1", "BODY=x", "BODY", "SMTPUTF8=1", "=1", "X=", "é=1"])
def test_bad_parameters_of_mail(text):
    with pytest.raises(SmtpError):
        mail_parameters(text)
    with pytest.raises(BadParameterError):
        mail_parameters(text.replace("X=", "SIZE="))


def test_parameters_of_a_recipient():
    check_recipient_parameters("NOTIFY=NEVER ORCPT=rfc822;a@b.example")
    with pytest.raises(UnknownParameterError):
        check_recipient_parameters("SIZE=1")

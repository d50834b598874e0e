from __future__ import annotations

import pytest

from bridge.init import answers


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mail.example.org", "mail.example.org"),
        (" Mail.Example.ORG. ", "mail.example.org"),
        ("homeserver", "homeserver"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_a_host_is_a_name_or_an_address(text, meant):
    assert answers.host(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mqtts://mail.example.org",
        "mail.example.org:8883",
        "mail_1.example",
        "-a.example",
        "a..b",
        "300.1.1.1",
        "a b",
        ("a" * 63 + ".") * 4 + "example",
        "a" * 64,
    ],
)
def test_what_is_no_host_is_told(text):
    with pytest.raises(ValueError, match=r"write a host name, as mail.example.org, or an IP address"):
        answers.host(text)


def test_names_of_users_and_devices_are_those_of_topics():
    assert answers.user(" alice ") == "alice"
    assert answers.device("my-phone_2") == "my-phone_2"
    for judge in (answers.user, answers.device):
        with pytest.raises(ValueError, match="use 1 to 32 of a-z 0-9 _ -"):
            judge("Alice")


def test_an_address_is_judged_as_the_store_does():
    assert answers.address(" Alice@Example.org ") == "Alice@Example.org"
    assert answers.address("@example.org") == "@example.org"
    with pytest.raises(ValueError, match="is not a mail address"):
        answers.address("alice")

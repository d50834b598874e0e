"""Paths as devices write them. What Postfix 3.7 made of each of the first list was seen once and stands here."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import MalformedAddressError
from bridge.ingress.addresses import parse_path
from bridge.ingress.device_paths import UnreadableAddressError, parse_device_path
from tests.support.processor import least_s

CAM = "cam@example.net"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<Front Door <cam@example.net>>", ""),
        ("< cam@example.net >", ""),
        ("<<cam@example.net>>", ""),
        ('<"Front Door" <cam@example.net>>', ""),
        ("<Front Door <cam@example.net>> SIZE=100", "SIZE=100"),
        ("<cam@example.net (Front Door)>", ""),
        ("<cam @ example.net>", ""),
        ("<cam@ example.net>", ""),
        ("cam@example.net>", ""),
        ("<cam@example.net>>", ""),
        ("<Haustür <cam@example.net>>", ""),
        ("<Front Door @ Home <cam@example.net>>", ""),
    ],
)
def test_what_postfix_takes_is_taken(text, rest):
    assert parse_device_path(text) == (CAM, rest)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (" Front Door <cam@example.net>", ""),
        ("Door <cam@example.net>", ""),
        ("Door<cam@example.net>", ""),
        (" Front Door <cam@example.net> SIZE=100 AUTH=<>", "SIZE=100 AUTH=<>"),
        ('"Front Door" <cam@example.net>', ""),
        ('"Front > Door" <cam@example.net>', ""),
        (r'"Front \"> Door" <cam@example.net>', ""),
        ("<Front, Door <cam@example.net>>", ""),
        ("<<cam@example.net>", ""),
        ("<Haust\ufffdr <cam@example.net>>", ""),
        ("< < cam@example.net > >", ""),
        ("<(at the door) cam@example . net>", ""),
    ],
)
def test_what_devices_say_beyond_that_is_taken_as_well(text, rest):
    assert parse_device_path(text) == (CAM, rest)


@pytest.mark.parametrize("text", ["<>", " <>", "<<>>", "< >", "Front Door <>", "<> AUTH=<>"])
def test_the_null_path_is_one_in_any_dress(text):
    assert parse_device_path(text)[0] == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<front door@example.net>",
        "<Front Door>",
        "<cam@example.net",
        "<Front Door <cam@example.net",
        '<"Front Door <cam@example.net>>',
        "<a@example.net,b@example.net>",
        "<cam@exa mple.net>",
        "<cam@>",
        "<cam@example.net>SIZE=100",
        "<" + "x" * 2000 + " <cam@example.net>>",
    ],
)
def test_nobody_guesses(text):
    with pytest.raises(MalformedAddressError):
        parse_device_path(text)


def test_of_two_addresses_the_second_is_a_parameter_that_nobody_knows():
    assert parse_device_path("<cam@example.net> <dog@example.net>") == (CAM, "<dog@example.net>")


def test_an_address_that_cannot_be_read_is_not_taken_for_another():
    with pytest.raises(UnreadableAddressError):
        parse_device_path("<Haust\ufffdr@example.net>")


TEXT = st.text(alphabet='<>@",:;\\ab.é[]() \t=\ufffd', max_size=60)


@given(TEXT)
def test_a_path_is_an_address_without_controls_or_an_error(text):
    try:
        address, _ = parse_device_path(text)
    except MalformedAddressError:
        return
    assert address.isprintable()
    assert "<" not in address or '"' in address


LOCAL = st.text("abc.+-_é", min_size=1, max_size=10)
QUOTED = st.builds('"{}"'.format, st.text("ab <>@().", max_size=10))
ADDRESS = st.builds("{}@{}.example".format, LOCAL | QUOTED, st.text("abc-", min_size=1, max_size=10))
PARAMETERS = st.sampled_from(["", " SIZE=1", " AUTH=<>", " BODY=7BIT RET=HDRS"])
NAME = st.text("abé @.,:;'()\ufffd-", max_size=20) | QUOTED


@given(ADDRESS, PARAMETERS)
def test_what_is_right_anyway_is_read_the_same(address, parameters):
    text = f"<{address}>{parameters}"
    assert parse_device_path(text) == parse_path(text) == (address, parameters.strip())


@given(NAME, ADDRESS, PARAMETERS, st.booleans())
def test_a_name_hides_no_address(name, address, parameters, inside):
    text = f"<{name} <{address}>>" if inside else f"{name} <{address}>"
    assert parse_device_path(text + parameters) == (address, parameters.strip())


@pytest.mark.parametrize("unit", ["<", ">", "(", "(a", " ", '"', '"a"', "\\", "<>", "@ ", " <"])
def test_no_text_takes_long(unit):
    text = (unit * 12_000)[:12_000]

    def work():
        for wrapped in (text, f"<{text}", f"{text} <cam@example.net>"):
            with contextlib.suppress(MalformedAddressError):
                parse_device_path(wrapped)

    assert least_s(work, bound_s=0.5) < 0.5

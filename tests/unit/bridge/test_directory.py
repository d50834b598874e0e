"""Who gets mail for an address (RFC 5321 §2.3.11, §2.4, §4.1.1.3, §4.1.2, §4.5.1)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.directory import DETAIL_CHARACTERS, User, clean_detail, normalise, resolve
from bridge.errors import MalformedAddressError, UnknownUserError
from tests.support.book import Book

USERS = [User(1, "alice"), User(2, "bob"), User(3, "carol")]


def directory(*pairs):
    return Book(USERS, [(normalise(address), user_id) for address, user_id in pairs])


def owner(known, address):
    """The user who gets mail for an address, and the detail."""
    found = resolve(address, known)
    assert found.address == address
    return found.user, found.detail


HOME = directory(("alice@example.org", 1), ("Bob.Smith@example.org", 2), ("shop+alice@example.org", 3))


@pytest.mark.parametrize(
    "address",
    ["alice@example.org", "Alice@Example.ORG", "ALICE@example.org.", '"alice"@example.org', '"al\\ice"@example.org'],
)
def test_case_and_quotes_make_no_difference(address):
    assert owner(HOME, address) == ("alice", "")


def test_an_exact_local_part_wins_over_one_that_differs_in_case():
    known = directory(("Ann@example.org", 1), ("ann@example.org", 2))
    assert owner(known, "Ann@example.org")[0] == "alice"
    assert owner(known, "ann@example.org")[0] == "bob"


def test_an_address_in_any_case_finds_one_registered_with_capitals():
    assert owner(HOME, "bob.smith@EXAMPLE.org") == ("bob", "")


@pytest.mark.parametrize("detail", ["lists", "a+b", "Übung", "x" * DETAIL_CHARACTERS])
def test_what_follows_a_plus_is_the_detail(detail):
    assert owner(HOME, f"alice+{detail}@example.org") == ("alice", detail)


def test_an_empty_detail_is_none():
    assert owner(HOME, "alice+@example.org") == ("alice", "")


def test_a_whole_address_with_a_plus_wins_over_its_detail():
    assert owner(HOME, "shop+alice@example.org") == ("carol", "")


@pytest.mark.parametrize("address", ["nobody@example.org", "+lists@example.org", "alice@example.com", "alice@org"])
def test_who_is_not_known_is_refused(address):
    with pytest.raises(UnknownUserError) as refusal:
        resolve(address, HOME)
    assert str(refusal.value.reply) == "550 5.1.1 No such user here"


def test_a_catch_all_takes_what_nobody_else_has():
    known = directory(("alice@example.org", 1), ("@example.org", 2))
    assert owner(known, "alice@example.org") == ("alice", "")
    assert owner(known, "alice+x@example.org") == ("alice", "x")
    assert owner(known, "whoever@EXAMPLE.org") == ("bob", "")
    with pytest.raises(UnknownUserError):
        resolve("whoever@sub.example.org", known)


def test_postmaster_without_a_domain_is_the_first_user_unless_somebody_registered_it():
    assert owner(HOME, "postmaster") == ("alice", "")
    assert owner(HOME, "PostMaster") == ("alice", "")
    assert owner(directory(("a@example.org", 1), ("Postmaster@example.org", 2)), "postmaster") == ("bob", "")


def test_postmaster_of_our_domains_always_has_a_recipient():
    assert owner(HOME, "postmaster@example.org") == ("alice", "")
    assert owner(directory(("a@example.org", 3), ("postmaster@example.org", 2)), "POSTMASTER@example.org")[0] == "bob"
    with pytest.raises(UnknownUserError):
        resolve("postmaster@elsewhere.example", HOME)


def test_a_catch_all_of_the_domain_takes_postmasters_mail_unless_somebody_registered_it():
    assert owner(directory(("a@example.org", 1), ("@example.org", 2)), "postmaster@example.org")[0] == "bob"
    with_one = directory(("a@example.org", 1), ("@example.org", 2), ("postmaster@example.org", 3))
    assert owner(with_one, "Postmaster@example.org")[0] == "carol"


def test_who_is_postmaster_of_one_domain_is_so_of_all_that_have_none():
    known = directory(("a@example.org", 1), ("postmaster@example.com", 2), ("postmaster@example.net", 3))
    assert owner(known, "postmaster@example.org")[0] == "bob"
    assert owner(known, "postmaster@example.net")[0] == "carol"
    assert owner(known, "postmaster")[0] == "bob"


def test_of_two_that_differ_in_case_alone_the_first_in_their_order_gets_what_is_written_in_a_third_way():
    for pairs in ((("Ann@example.org", 1), ("ann@example.org", 2)), (("ann@example.org", 2), ("Ann@example.org", 1))):
        assert owner(directory(*pairs), "ANN@example.org")[0] == "alice"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("alice=example.org@postbell.invalid", ("alice", "")),
        ("alice+lists=example.org@POSTBELL.invalid", ("alice", "lists")),
        ("postmaster=example.org@postbell.invalid", ("alice", "")),
    ],
)
def test_a_copy_that_a_mail_server_sends_is_for_the_address_within(address, found):
    assert owner(HOME, address) == found


@pytest.mark.parametrize("address", ["alice@postbell.invalid", "nobody=example.org@postbell.invalid"])
def test_a_copy_for_nobody_is_refused(address):
    with pytest.raises(UnknownUserError):
        resolve(address, HOME)


@pytest.mark.parametrize(
    "address",
    ["alice@example.org", "ALICE+x@example.org", "who@example.org", "who@else.example", "postmaster",
     "postmaster@example.org", "postmaster@else.example"],
)  # fmt: skip
def test_an_address_takes_a_handful_of_questions(address):
    before = HOME.asked
    try:
        assert resolve(address, HOME).user == "alice"
    except UnknownUserError:
        assert address.startswith("who@") or "else" in address
    assert HOME.asked - before <= 5


def test_without_users_nobody_has_postmasters_mail():
    with pytest.raises(UnknownUserError):
        resolve("postmaster", Book())


@pytest.mark.parametrize("address", ['"john smith"@example.org', '"john\\ smith"@example.org'])
def test_a_quoted_local_part_may_hold_spaces(address):
    assert owner(directory(('"john smith"@example.org', 2)), address)[0] == "bob"


def test_a_quoted_local_part_may_hold_an_at_sign_and_a_quote():
    known = directory(('"a@b"@example.org', 2), ('"say \\"hi\\""@example.org', 3))
    assert owner(known, '"a@b"@example.org')[0] == "bob"
    assert owner(known, '"say \\"hi\\""@example.org')[0] == "carol"


@pytest.mark.parametrize("address", ["zoë@bücher.example", "zoë@xn--bcher-kva.example", "ZOË@BÜCHER.EXAMPLE"])
def test_an_international_domain_is_one_in_either_form(address):
    assert owner(directory(("zoë@bücher.example", 1)), address)[0] == "alice"


def test_a_local_part_is_compared_composed():
    known = directory(("zoë@example.org", 1))
    assert owner(known, unicodedata.normalize("NFD", "zoë@example.org"))[0] == "alice"


def test_an_address_literal_is_a_domain():
    assert owner(directory(("alice@[127.0.0.1]", 1)), "alice@[127.0.0.1]")[0] == "alice"


@pytest.mark.parametrize(
    "address",
    ["", "alice", "@example.org", "alice@", '""@example.org', "al\0ice@example.org", "alice@exa mple.org",
     "alice@\udc80.org", "\udc80@example.org", "a" * 320 + "@example.org", "alice@bü..cher.example", "alice@."],
)  # fmt: skip
def test_what_is_no_address_is_malformed(address):
    with pytest.raises(MalformedAddressError):
        resolve(address, HOME)


@pytest.mark.parametrize(
    "address",
    ["@", "@exa mple.org", "alice", "@a@b", "Alice <alice@example.org>", "alice@example.org,", "alice@example.org>",
     "alice@example..org", "alice@-", "*@example.org"],
)  # fmt: skip
def test_what_is_no_address_cannot_be_registered(address):
    with pytest.raises(MalformedAddressError):
        normalise(address)


@given(st.text(max_size=60))
def test_any_text_is_resolved_or_refused(address):
    try:
        found = resolve(address, HOME)
    except (UnknownUserError, MalformedAddressError):
        return
    assert found.user in {"alice", "bob", "carol"}


locals_ = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\@*'), min_size=1, max_size=20)
domains = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z0-9]{1,10}){0,2}", fullmatch=True)


@given(locals_, domains)
def test_a_registered_address_finds_its_user(local, domain):
    assume(local.casefold() != "postmaster")
    known = directory((f"{local}@{domain}", 2), (f"@{domain}", 1))
    assert owner(known, f"{local}@{domain}") == ("bob", "")
    assert owner(known, f"{local}@{domain.upper()}") == ("bob", "")


@given(locals_, domains)
def test_the_registered_form_is_stable(local, domain):
    once = normalise(f"{local}@{domain}")
    assert normalise(once) == once


@given(st.text(max_size=200))
def test_a_detail_is_short_and_has_nothing_invisible(detail):
    kept = clean_detail(detail)
    assert len(kept) <= DETAIL_CHARACTERS
    assert unicodedata.is_normalized("NFC", kept)
    assert not any(unicodedata.category(character)[0] in {"C", "Z"} for character in kept)

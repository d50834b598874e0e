"""Modes and owners of files: parsed once, printed as they were written."""

from __future__ import annotations

import pytest

from bridge.config.permissions import FileMode, FileOwner


@pytest.mark.parametrize(("text", "mode"), [("0660", 0o660), ("600", 0o600), ("0000", 0)])
def test_a_mode_is_octal(text, mode):
    assert FileMode.parse(text) == mode
    assert str(FileMode.parse(text)) == f"0{text[-3:]}"


@pytest.mark.parametrize("text", ["", "0999", "66", "01777", "0o660", "rw-rw----"])
def test_what_is_no_mode_is_refused_with_the_cure(text):
    with pytest.raises(ValueError, match=r'"0660"'):
        FileMode.parse(text)


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("", FileOwner()),
        ("postbell", FileOwner("postbell")),
        ("postbell:mail", FileOwner("postbell", "mail")),
        (":mail", FileOwner("", "mail")),
    ],
)
def test_an_owner_is_user_and_group(text, owner):
    assert FileOwner.parse(text) == owner
    assert str(owner) == text

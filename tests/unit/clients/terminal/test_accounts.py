"""An account of the window, told by a file."""

from __future__ import annotations

import pytest

from clients.errors import UsageError
from clients.terminal.settings import DEFAULT_URL, account_of


def test_what_is_not_told_is_as_on_the_command_line(tmp_path):
    file = tmp_path / "bob.toml"
    file.write_text('device = "bob/desk"\npassword_file = "bob.password"\n')
    place = account_of(file)
    assert (place.device, place.url, place.root, place.keepalive_s) == ("bob/desk", DEFAULT_URL, "mail", None)
    assert place.password_file == tmp_path / "bob.password", "beside the file"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "a key is missing"),
        ("device = 7", "device is no key of an account, or not of its kind"),
        ('device = "bob/desk"\npassword = "x"', "password is no key"),
        ("device", "bob.toml: "),
        (None, "No such file"),
    ],
)
def test_what_is_wrong_with_it_is_said(tmp_path, content, said):
    file = tmp_path / "bob.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=said):
        account_of(file)

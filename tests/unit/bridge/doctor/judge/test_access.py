"""Who may do what with a file, by owner and mode and those of the folders above it."""

from __future__ import annotations

import pytest

from bridge.doctor.judge.access import ENTER, READ, WRITE, FileSeen, SystemUser, allows, refusing

ALICE = SystemUser(1000, "alice", frozenset({1000, 50}))
ROOT = SystemUser(0, "root")


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "want", "answer"),
    [
        (1000, 1000, 0o600, READ | WRITE, True),
        (1000, 1000, 0o077, READ, False),  # the owner's bits count for the owner, whatever others may
        (1, 50, 0o640, READ, True),
        (1, 50, 0o640, WRITE, False),
        (1, 50, 0o604, READ, False),
        (1, 1, 0o604, READ, True),
        (1, 1, 0o640, READ, False),
    ],
)
def test_owner_group_and_others_have_bits_of_their_own(uid, gid, mode, want, answer):
    place = FileSeen("/x", uid, gid, mode)
    assert allows(place, ALICE, want) is answer
    assert allows(place, ROOT, want)


def test_who_may_be_on_a_list_gets_the_benefit_of_the_doubt():
    assert allows(FileSeen("/x", 1, 1, 0, listed=True), ALICE, READ)


def test_the_first_that_refuses_is_told():
    top, closed, file = FileSeen("/", 0, 0, 0o755), FileSeen("/a", 0, 0, 0o700), FileSeen("/a/b", 1000, 1000, 0o600)
    assert refusing([top, closed, file], ALICE, READ) is closed
    assert refusing([top, file], ALICE, READ) is None
    assert refusing([top, FileSeen("/c", 0, 0, 0o711)], ALICE, READ).path == "/c"
    assert refusing([top], ALICE, ENTER) is None

"""Mail that was fetched and is not kept: asked for again or not, and never left lying in the spool."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.daemon.fetched import Fetched
from bridge.errors import StoreFullError, StoreUnavailableError
from bridge.mailbox.account import MailAccount, Secret, SecretKind, Watched
from bridge.reply import Reply
from bridge.spool import Spool

ACCOUNT = MailAccount(
    mailbox_id=1,
    user_id=1,
    user="alice",
    host="imap.example.org",
    port=993,
    tls=True,
    login="alice",
    secret=Secret(SecretKind.PASSWORD_FILE, "password"),
)
LARGE = b"x" * 300_000


class Answering:
    """An intake that gives every mail the same answer."""

    def __init__(self, reply):
        self.reply, self.envelopes = reply, []

    def into(self, _keeper):
        return self

    async def accept(self, envelope):
        self.envelopes.append(envelope)
        return [self.reply]


async def in_pieces(*pieces):
    for piece in pieces:
        if isinstance(piece, BaseException):
            raise piece
        yield piece


def fetch(tmp_path, reply, *pieces):
    """What is said of a mail, and the intake; the spool has done all its work then."""
    intake: Any = Answering(reply)
    spool = Spool(tmp_path / "spool")
    nowhere: Any = SimpleNamespace(terms=None)
    fetched = Fetched(store=nowhere, mailbox=nowhere, spool=spool, intake=intake)
    watched = Watched(folder_id=1, account=ACCOUNT, name="INBOX")
    try:
        return asyncio.run(fetched(watched, validity=7, uid=1, pieces=in_pieces(*pieces))), intake
    finally:
        spool.close()


def lying(tmp_path):
    return list((tmp_path / "spool").iterdir())


def test_what_is_kept_stays_in_the_spool(tmp_path):
    taken, intake = fetch(tmp_path, Reply(250, "2.0.0", "Kept"), LARGE, LARGE)
    assert taken
    [envelope] = intake.envelopes
    assert [path.name for path in lying(tmp_path)] == [envelope.body.spooled]
    assert (envelope.body.size, envelope.recipients[0].user) == (600_000, "alice")


def test_what_is_refused_for_good_is_not_to_be_asked_for_again(tmp_path):
    taken, _ = fetch(tmp_path, Reply(554, "5.4.6", "Too many hops"), LARGE)
    assert not taken
    assert lying(tmp_path) == []


def test_what_cannot_be_kept_now_is(tmp_path):
    with pytest.raises(StoreUnavailableError, match=StoreFullError.reply.text):
        fetch(tmp_path, StoreFullError.reply, LARGE)
    assert lying(tmp_path) == []


def test_what_did_not_come_to_its_end_is_nowhere(tmp_path):
    with pytest.raises(ConnectionResetError):
        fetch(tmp_path, Reply(250, "2.0.0", "Kept"), LARGE, ConnectionResetError())
    assert lying(tmp_path) == []

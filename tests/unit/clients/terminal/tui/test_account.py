"""A device behind the window, in its own thread: what it tells, what it is told, and how it ends."""

from __future__ import annotations

import queue
from typing import Any

import msgpack
import pytest

from clients.box.inbox import Gone, Shown
from clients.contract.header import decode_header
from clients.contract.requests import Reply, encode_request
from clients.errors import StateLockedError
from clients.relay import join, relay_path
from clients.terminal.inbox.listing import Listed
from clients.terminal.read.destination import MemoryDestination
from clients.terminal.read.errands import Errand
from clients.terminal.settings import Place
from clients.terminal.tui.account import AccountSaid, MailCame, MailLeft, WindowAccount
from clients.terminal.watch.alarm import Alarm
from tests.support.contract_player import header, mail_id
from tests.support.scripted_broker import PUBLISH, ScriptedBroker, connack
from tests.support.waiting import until

NAME = "alice/phone"
NOT_AUTHORIZED = 0x87


@pytest.fixture
def place(tmp_path):
    """Where the account is, at a broker that listens on this port, or at none."""
    password = tmp_path / "password"
    password.write_text("secret")
    return lambda port=1: Place(
        NAME, f"mqtt://127.0.0.1:{port}", None, password, tmp_path / "state", "mail", None, None
    )


class Account:
    """An account while the context lasts, and what it tells."""

    def __init__(self, place):
        self.of = WindowAccount(place, alarm=Alarm(bell=None, desktop=None, clock=lambda: 0.0))
        self._events: queue.Queue[Any] = queue.Queue()
        self.of._tell = self._events.put

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.of.close()

    def start(self):
        self.of.start(self._events.put)

    def told(self):
        return self._events.get(timeout=10)

    def said(self, words):
        """The next event in whose text these words are."""
        while True:
            event = self.told()
            if words in getattr(event, "text", ""):
                return event


def shown(number):
    payload = header(number)
    return Shown(mail_id(number), decode_header(payload), payload)


def test_one_that_was_never_started_lets_go_of_its_state(place):
    with Account(place()), pytest.raises(StateLockedError, match="is being watched already"):
        WindowAccount(place(), alarm=Alarm(bell=None, desktop=None, clock=lambda: 0.0))
    with Account(place()) as again:
        assert again.of.rows() == []


def test_mail_that_comes_leaves_and_comes_back_is_told_with_its_number(place):
    with Account(place()) as account:
        account.of.show(shown(0))
        account.of.vanish(Gone(mail_id(0), shown=True))
        account.of.come_back(mail_id(0))
        came, left, back = account.told(), account.told(), account.told()
        assert isinstance(came, MailCame)
        assert (came.listed.number, came.listed.header.subject) == (1, "mail 0")
        assert left == MailLeft(NAME, mail_id(0))
        assert back == came
        account.of.come_back(mail_id(1))
        assert account.told().listed == Listed(2, mail_id(1), None), "a mail whose header is not on record"
    with Account(place()) as again:
        assert [each.mail_id for each in again.of.rows()] == [mail_id(0)]


def test_a_refusal_for_good_is_told(place):
    with Account(place()) as account:
        account.of._seen.want([mail_id(0)])
        request_id = msgpack.unpackb(account.of._seen.request(0.0))[1]
        account.of.answer(Reply(request_id, 1, 0, 0, b"", "no such operation"), b"")
        assert account.told() == AccountSaid(NAME, "the bridge did not mark messages as seen: no such operation")


def test_the_answer_to_a_command_beside_the_window_is_passed_on_to_it(place, tmp_path):
    with Account(place()) as account, account.of._relay as relay, join(relay_path(tmp_path / "state")) as guest:
        guest.settimeout(10)
        relay.requests(relay.filenos())
        guest.send(encode_request(7, "parts", mail_id(0)))
        assert relay.requests(relay.filenos()) == [encode_request(7, "parts", mail_id(0))]
        account.of.answer(Reply(7, 0, 0, 2, b"\x90", ""), b"the reply")
        assert guest.recv(99) == b"the reply"


def test_without_a_broker_it_says_so_and_an_order_waits(place):
    asked: list[Any] = []
    with Account(place()) as account:
        account.start()
        account.said("refused")
        account.of.mark_seen(mail_id(0))
        account.of.run(Errand("text", (mail_id(0),), MemoryDestination(asked.append), asked.append))
    assert asked == []
    assert account.of._seen.wanted(mail_id(0))


def test_what_is_ordered_is_asked_for_at_the_broker(place):
    with ScriptedBroker(connack()) as broker, Account(place(broker.port)) as account:
        account.start()
        account.said("connected")
        account.of.run(Errand("text", (mail_id(0),), MemoryDestination(lambda _: None), lambda _: None))
        account.of.mark_seen(mail_id(1))
        until(lambda: len(broker.of(PUBLISH)) >= 2, what="both requests")
        asked = b"".join(each.body for each in broker.of(PUBLISH))
        assert b"text" in asked
        assert mail_id(1).encode() in asked


def test_a_login_that_is_refused_ends_it_and_is_told_as_the_end(place):
    with ScriptedBroker(connack(NOT_AUTHORIZED)) as broker, Account(place(broker.port)) as account:
        account.start()
        end = account.said("")
        while not end.fatal:
            end = account.said("")
        assert "login" in end.text

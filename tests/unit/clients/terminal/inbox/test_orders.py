"""What the words behind `inbox USER/DEVICE` mean."""

from __future__ import annotations

import pytest

from clients.box.numbers import Numbers
from clients.errors import UsageError
from clients.terminal.inbox.orders import Action, Order, named

IDS = [f"00t64ks8{digit}" for digit in "npqrs"]


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ("", Order()),
        ("list", Order()),
        ("open 3", Order(Action.OPEN, ("3",))),
        ("save 3", Order(Action.SAVE, ("3",))),
        ("save 3 1", Order(Action.SAVE, ("3",), 1)),
        ("seen 3 5-9 all", Order(Action.SEEN, ("3", "5-9", "all"))),
        ("unseen 00t64ks8n", Order(Action.UNSEEN, ("00t64ks8n",))),
    ],
)
def test_words_are_understood(words, order):
    assert Order.of(words.split()) == order


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dance 3", "there are list, open, save, seen, unseen"),
        ("open", "open what"),
        ("open 3 4", "one mail at a time"),
        ("save 3 plan.pdf", "number of that part"),
        ("save 3 1 2", "number of that part"),
        ("list 3", "list takes no number"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_cure(words, said):
    with pytest.raises(UsageError, match=said):
        Order.of(words.split())


@pytest.fixture
def box():
    numbers = Numbers()
    for each in IDS:
        numbers.came(each)
    numbers.went(IDS[1])
    return {each: True for each in IDS if each != IDS[1]}, numbers


@pytest.mark.parametrize(
    ("mails", "meant"),
    [("1", [0]), ("5 1", [4, 0]), ("1-3", [0, 2]), ("all", [0, 2, 3, 4]), ("1 1-1 all", [0, 2, 3, 4]), ("2", [1])],
)
def test_mails_are_named_by_number(box, mails, meant):
    assert named(mails.split(), *box) == [IDS[each] for each in meant]


@pytest.mark.parametrize("mail", ["6", "0", "x", "-1", "3-", "²"])
def test_what_names_no_mail_is_refused(box, mail):
    with pytest.raises(UsageError):
        named([mail], *box)


def test_an_id_is_taken_as_it_is(box):
    assert named(["00t64ks9z"], *box) == ["00t64ks9z"]

"""What the words behind `inbox USER/DEVICE` mean: what to do, with which mails. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from clients.contract.ids import valid_id
from clients.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.box.numbers import Numbers

ALL = "all"


class Action(Enum):
    """What can be done with a mail."""

    LIST = "list"
    OPEN = "open"
    SAVE = "save"
    SEEN = "seen"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with which mails, as they were named; `part` is that of `save`."""

    action: Action = Action.LIST
    mails: tuple[str, ...] = ()
    part: int | None = None

    @classmethod
    def of(cls, words: Sequence[str]) -> Order:
        """What the words say; raises UsageError."""
        if not words:
            return cls()
        try:
            action = Action(words[0])
        except ValueError as error:
            names = ", ".join(each.value for each in Action)
            raise UsageError(f"{words[0]!r} is nothing that can be done with a mail; there are {names}") from error
        mails = tuple(words[1:])
        if action is Action.LIST:
            if mails:
                raise UsageError("list takes no number")
            return cls()
        if not mails:
            raise UsageError(f"{action.value} what? Write the number of a mail, as in `{action.value} 3`")
        if action is Action.OPEN and len(mails) > 1:
            raise UsageError("open takes one mail at a time")
        if action is Action.SAVE:
            if len(mails) > 2 or not all(each.isdecimal() for each in mails[1:]):
                raise UsageError("save takes a mail and, if only one of its parts is wanted, the number of that part")
            return cls(action, mails[:1], int(mails[1]) if len(mails) > 1 else None)
        return cls(action, mails)


def named(mails: Sequence[str], live: Mapping[str, bool], numbers: Numbers) -> list[str]:
    """The ids of mails that are named by number (`3`, `3-7`), by id, or as `all` that are live; raises UsageError.

    A range is of those that are live. A number alone may be that of a mail that has left the box.
    """
    ids: list[str] = []
    for each in mails:
        first, dash, last = each.partition("-")
        if each == ALL:
            ids += sorted(live)
        elif dash and first.isdecimal() and last.isdecimal():
            wanted = range(int(first), int(last) + 1)
            ids += [mail_id for mail_id in sorted(live) if numbers.of(mail_id) in wanted]
        elif each.isdecimal() and len(each) < 9:
            mail_id = numbers.mail(int(each))
            if mail_id is None:
                raise UsageError(f"there is no mail {each}; `list` shows the numbers")
            ids.append(mail_id)
        elif valid_id(each):
            ids.append(each)
        else:
            raise UsageError(f"{each!r} is neither the number of a mail nor an id such as 00t64ks8n")
    return list(dict.fromkeys(ids))

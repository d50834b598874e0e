"""Short numbers for the mails of a box, which people type. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGHEST = 99
"""Where counting begins anew, unless the box has more than half as many mails."""


class Numbers:
    """A number for each live mail, the same for as long as it is live.

    Numbers go up and are not given again at once: whoever types one means the mail that he has just seen, also if that
    left the box meanwhile. So a mail that left is known by its number until another one gets it.
    """

    def __init__(self) -> None:
        self._mails: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._live: set[str] = set()
        self.last = 0

    def of(self, mail_id: str) -> int:
        """The number that a mail has or, if it is new, is going to get."""
        number = self._numbers.get(mail_id)
        return self._next() if number is None else number

    def mail(self, number: int) -> str | None:
        """The mail that has this number, or had it last."""
        return self._mails.get(number)

    def came(self, mail_id: str) -> None:
        """The mail is live. What has left and comes back has its old number."""
        if mail_id not in self._numbers:
            self.give(mail_id, self._next())
        self._live.add(mail_id)

    def went(self, mail_id: str) -> None:
        """The mail is not live any more."""
        self._live.discard(mail_id)

    def give(self, mail_id: str, number: int) -> None:
        """The mail has this number, in the place of whichever had it."""
        before = self._mails.get(number)
        if before is not None:
            self._numbers.pop(before, None)
        self._mails[number] = mail_id
        self._numbers[mail_id] = self.last = number

    def given(self) -> Iterator[tuple[str, int]]:
        """All mails that have a number, the last one that was given at the end."""
        yield from sorted(self._numbers.items(), key=lambda item: item[1] == self.last)

    def _next(self) -> int:
        number = self.last + 1
        while True:
            if number > max(HIGHEST, 2 * len(self._live)):
                number = 1
            if self._mails.get(number) not in self._live:
                return number
            number += 1

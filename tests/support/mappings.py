"""A mapping that tells how it is used, for tests that count work instead of time."""

from __future__ import annotations


class NeverWalked(dict):
    """A mapping that can be asked for one key at a time, and counts how often it was."""

    asked = 0

    def _walked(self, *_):
        raise AssertionError("walked through")

    __iter__ = keys = values = items = __len__ = __reversed__ = _walked

    def get(self, key, default=None):
        self.asked += 1
        return super().get(key, default)

    def __getitem__(self, key):
        self.asked += 1
        return super().__getitem__(key)

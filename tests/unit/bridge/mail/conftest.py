"""Shared by the tests of reading mail."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What a test spends is its own: to look through the garbage of all tests before it takes a quarter of a second."""
    gc.disable()
    yield
    gc.enable()

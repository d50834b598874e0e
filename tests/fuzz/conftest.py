"""Shared by the searches: seeds and time."""

from __future__ import annotations

import random
import time

import pytest


@pytest.fixture
def rounds(request):
    """Yields one seeded generator after the other, for this share of the time, and on until it was enough."""

    def begin(share, enough=lambda: True):
        seed = request.config.getoption("--fuzz-seed")
        end = time.monotonic() + share * request.config.getoption("--fuzz-seconds")
        while time.monotonic() < end or not enough():
            yield seed, random.Random(seed)
            seed += 1

    return begin

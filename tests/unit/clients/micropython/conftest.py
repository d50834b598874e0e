"""Under CPython a collection for each packet is the slowest thing there is."""

from __future__ import annotations

import types

import pytest

from clients.micropython import postbell


@pytest.fixture(scope="package", autouse=True)
def no_collections():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postbell, "gc", types.SimpleNamespace(collect=lambda: 0))
        yield

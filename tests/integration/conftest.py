"""Shared by the tests that stand a database on its head."""

from __future__ import annotations

import pytest

from bridge.store import database


@pytest.fixture
def restricted(monkeypatch):
    """Connections that are opened while this set has entries run these pragmas first."""
    pragmas, connect = set(), database.connect

    def restrict(path):
        connection = connect(path)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    monkeypatch.setattr(database, "connect", restrict)
    return pragmas

"""Each mail is read with either reader of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.bridge.mail.conftest import PARSERS, no_collection, parser

if TYPE_CHECKING:
    import pytest

__all__ = ["no_collection", "parser"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("parser", PARSERS, indirect=True)

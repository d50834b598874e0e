"""Shared by the tests of reading mail."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from resiliparse.extract.html2text import extract_plain_text

from bridge.mail import markup, page

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What a test spends is its own: to look through the garbage of all tests before it takes a quarter of a second."""
    gc.disable()
    yield
    gc.enable()


PARSERS = {"resiliparse": extract_plain_text, "justhtml": page.extract_plain_text}
BY_BOTH = {"test_hostile", "test_markup", "test_messages", "test_snippet"}
"""Modules whose tests are done with either reader of pages."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in BY_BOTH:
        metafunc.parametrize("parser", PARSERS, indirect=True)


@pytest.fixture(autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have pages read as where resiliparse has a wheel, or as elsewhere; the name of what reads them."""
    name: str = getattr(request, "param", "resiliparse")
    monkeypatch.setattr(markup, "extract_plain_text", PARSERS[name])
    return name

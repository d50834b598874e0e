"""The answers that are the same wherever they come from: plain texts, and the headers that each answer has."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

Answer = TypeVar("Answer", bound=web.StreamResponse)

HEADERS = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Server": "Postbell",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""On every answer, unless a page has its own: nothing is loaded, framed, sniffed, kept or told by what we serve."""


def plain(status: HTTPStatus, text: str = "", *, headers: Mapping[str, str] | None = None) -> web.Response:
    """A line or some lines of text; without one, the status's own words, which tell nothing of what is behind them."""
    return dressed(web.Response(status=status, text=f"{text or status.phrase}\n", headers=headers))


def dressed(response: Answer) -> Answer:
    """The answer with the headers that it has none of its own for. Not for one that is under way already."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response

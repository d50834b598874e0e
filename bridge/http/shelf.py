"""The files of the web client, as they are served: read once, compressed once, each known by what is in it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiohttp import web

from bridge.http.pages import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "web"
"""Where the files lie: beside our own package, in a clone as in a wheel."""
INDEX = "index.html"
TYPES = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".ico": "image/x-icon",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".webmanifest": "application/manifest+json",
        ".woff2": "font/woff2",
    }
)
"""By their suffix; files with another one are not served."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; frame-src 'self' blob:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types postbell"
)
"""What a page and its worker may load and reach: this origin (Content Security Policy 3). Mail in it runs nothing."""
HEADERS = MappingProxyType(
    {
        "Cache-Control": "no-cache",  # kept, and asked for anew each time: the worker of the page decides what is new
        "Content-Security-Policy": POLICY,
        "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Vary": "Accept-Encoding",
    }
)


@dataclass(frozen=True, slots=True)
class ServedFile:
    """One file: its bytes, those bytes compressed where that helps, and the tag by which a browser knows them."""

    kind: str
    content: bytes
    compressed: bytes | None
    tag: str

    @classmethod
    def of(cls, kind: str, content: bytes) -> ServedFile:
        """What is served of these bytes."""
        packed = gzip.compress(content, 9, mtime=0)  # which helps no picture, as that is compressed already
        tag = blake2b(content, digest_size=12).hexdigest()
        return cls(kind, content, packed if len(packed) < len(content) * 9 // 10 else None, tag)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The file, or that the browser has it (RFC 9110 §13.1.2)."""
        packed = self.compressed if _takes_gzip(request.headers.get("Accept-Encoding", "")) else None
        tag = f'"{self.tag}"' if packed is None else f'"{self.tag}-gzip"'  # one for each form (RFC 9110 §8.8.3.3)
        headers = {**HEADERS, "ETag": tag}
        if _has(request.headers.get("If-None-Match", ""), tag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        headers["Content-Type"] = self.kind
        if packed is None:
            return web.Response(body=self.content, headers=headers)
        return web.Response(body=packed, headers=headers | {"Content-Encoding": "gzip"})


def pages(folder: Path = CLIENT) -> Mapping[str, Page]:
    """A page for each file below a folder, by its path; the index is `/` as well. Raises OSError."""
    return {path: Page(ServedFile.of(TYPES[file.suffix], file.read_bytes()).answer) for path, file in _paths(folder)}


def _paths(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if file.suffix in TYPES and file.is_file() and not hidden:
            yield f"/{relative.as_posix()}", file
            if relative == Path(INDEX):
                yield "/", file


def _takes_gzip(accepted: str) -> bool:
    """Whether gzip is among the encodings that are taken (RFC 9110 §12.5.3)."""
    for each in accepted.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        if name == "gzip":
            return not any(part.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for part in parameters)
    return False


def _has(tags: str, tag: str) -> bool:
    return tags.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in tags.split(","))

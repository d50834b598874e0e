"""When certificates end: those that the listeners show, read again when their files change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Expiries:
    """The ends of certificates; `files` are PEM files by the names of their listeners, and may be replaced."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files
        self._read: dict[Path, tuple[int, float | None]] = {}

    def ends_s(self) -> dict[str, float]:
        """Each end in Unix time; a file that cannot be read, or is no certificate, is left out."""
        ends = {name: self._end_s(path) for name, path in self.files.items()}
        return {name: end for name, end in ends.items() if end is not None}

    def _end_s(self, path: Path) -> float | None:
        try:
            stamp = path.stat().st_mtime_ns
            if path not in self._read or self._read[path][0] != stamp:
                self._read[path] = stamp, _end_of_first_s(path.read_bytes())
        except OSError:
            return None
        return self._read[path][1]


def _end_of_first_s(content: bytes) -> float | None:
    """The end of the first certificate, which is that of the listener itself (RFC 8446 §4.4.2)."""
    try:
        return x509.load_pem_x509_certificate(content).not_valid_after_utc.timestamp()
    except ValueError:
        return None

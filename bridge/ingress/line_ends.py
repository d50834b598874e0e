"""How the lines of a session end, and what may therefore end its data. Pure.

A device whose firmware ends lines in a bare LF cannot be mended. A relay through which somebody could smuggle a mail
(CVE-2023-51764 and its kin) speaks CR LF itself, so to whoever has once said CR LF a bare LF ends no data.
"""

from __future__ import annotations


class LineEnds:
    """The line ends of one session's commands so far."""

    def __init__(self) -> None:
        self._bare: bool | None = None

    @property
    def bare(self) -> bool:
        """Whether every command so far ended in a bare LF, and was taken."""
        return self._bare is True

    def cut(self, line: bytes, *, indulged: bool) -> bytes | None:
        """A command without its end, or None when it may not end so.

        CR LF is always right. A bare LF is taken from those who are `indulged`.
        """
        if line.endswith(b"\r\n"):
            self._bare = False
            return line[:-2]
        self._bare = indulged and self._bare is not False
        return line[:-1] if indulged else None

    def overlong(self) -> None:
        """A line was dropped whose end nobody looked at; it counts as CR LF."""
        self._bare = False

"""Where the bridge has its password at another broker from: a file with nothing else, or its line among all nodes'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class OwnSecret:
    """The password in `path`: all that stands there, or the line of `node` where one is named."""

    path: Path
    node: str = ""

    def read(self) -> str:
        """The password as the file has it now, `""` if it has none. Raises OSError; for a node ConfigurationError."""
        if self.node:
            return password_of(self.path, self.node)
        return self.path.read_text(encoding="utf-8", errors="replace").strip()


def password_of(path: Path, node: str) -> str:
    """The password of a node in a file of lines `node:password`; raises ConfigurationError."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigurationError(f"mqtt.nodes_file = {str(path)!r}: {error.strerror}") from error
    for line in lines:
        name, colon, password = line.partition(":")
        if colon and name.strip() == node and password.strip():
            return password.strip()
    raise ConfigurationError(f"mqtt.nodes_file = {str(path)!r}: no line for the node {node!r}; add {node}:PASSWORD")

"""The control socket: how commands ask a running bridge to do something.

One JSON object a line each way over a UNIX socket in the run directory, which only its owner may
enter. The socket is reached through a descriptor of its directory, because a socket's path may not
be longer than 107 bytes and a state directory's may. The bridge's side: control_server.py.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bridge.errors import PostbellError, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "bridge.sock"
"""The socket's name in the run directory."""
ANSWER_DEADLINE_S = 900.0
"""Long enough to repair the topics of many users on a slow broker."""


class ControlError(PostbellError):
    """A running bridge could not be asked, or could not do what it was asked."""


def ask(run_dir: Path, request: dict[str, Any], *, deadline_s: float = ANSWER_DEADLINE_S) -> dict[str, Any]:
    """What a running bridge answers; raises ControlError."""
    try:
        with reachable(run_dir) as path, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(deadline_s)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile() as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
    except OSError as error:
        raise ControlError(f"the running bridge does not answer: {in_words(error)}") from error
    except ValueError as error:
        raise ControlError("the running bridge does not answer: it broke off") from error
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer


@contextmanager
def reachable(run_dir: Path) -> Iterator[str]:
    """A path of the socket that is never too long, inside the block."""
    descriptor = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)

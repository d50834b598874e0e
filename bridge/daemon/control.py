"""The control socket: how commands ask a running bridge to do something.

One JSON object a line each way over a UNIX socket in the run directory, which only its owner may
enter. The socket is reached through a descriptor of its directory, because a socket's path may not
be longer than 107 bytes and a state directory's may.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bridge.errors import PostbellError, in_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

NAME = "bridge.sock"
"""The socket's name in the run directory."""
ANSWER_DEADLINE_S = 900.0
"""Long enough to repair the topics of many users on a slow broker."""


class ControlError(PostbellError):
    """A running bridge could not be asked, or could not do what it was asked."""


async def listen(run_dir: Path, actions: Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]) -> None:
    """Answer requests `{"do": action, …}` until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(await perform(await reader.readline())).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # whoever asked has gone
        finally:
            writer.close()  # also over a defect, which the loop logs: nobody waits for an answer that never comes

    async def perform(line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            return await actions[request["do"]](request)
        except (ValueError, KeyError, TypeError) as error:
            return {"error": f"not a request: {error}"}
        except PostbellError as error:
            return {"error": str(error)}

    (run_dir / NAME).unlink(missing_ok=True)
    with _reachable(run_dir) as path:
        server = await asyncio.start_unix_server(answer, path)
        (run_dir / NAME).chmod(0o600)
        async with server:
            await server.serve_forever()


def ask(run_dir: Path, request: dict[str, Any], *, deadline_s: float = ANSWER_DEADLINE_S) -> dict[str, Any]:
    """What a running bridge answers; raises ControlError."""
    try:
        with _reachable(run_dir) as path, socket.socket(socket.AF_UNIX) as connection:
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
def _reachable(run_dir: Path) -> Iterator[str]:
    descriptor = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)

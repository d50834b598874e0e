"""The bridge's side of the control socket, apart from what asks it (control.py), which need not wait for asyncio."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from bridge.daemon.control import NAME, reachable
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path


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
    with reachable(run_dir) as path:
        server = await asyncio.start_unix_server(answer, path)
        (run_dir / NAME).chmod(0o600)
        async with server:
            await server.serve_forever()

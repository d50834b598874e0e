"""Having the embedded broker reload, whoever started it: a signal there, its run file back."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

from bridge.daemon import runfile

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_DEADLINE_S = 5.0
LOOK_S = 0.05


async def reload_broker(run_dir: Path) -> dict[str, Any] | None:
    """What a broker that runs on this state directory says came of its reload; None when there is none.

    Raises nothing: one that does not answer is told as a problem.
    """
    if not runfile.running(run_dir, runfile.BROKER):
        return None
    said = before = _said(run_dir)
    try:
        os.kill(int(runfile.read(run_dir, runfile.BROKER)["pid"]), signal.SIGHUP)
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            while True:
                await asyncio.sleep(LOOK_S)
                said = _said(run_dir)
                if said.get("number") != before.get("number"):
                    break
    except (KeyError, ValueError, OSError) as error:  # of which a deadline is one
        problem = f"the broker does not answer: {str(error) or 'timed out'}"
        return {"changed": [], "needs_restart": [], "problems": [problem]}
    return {name: said.get(name, []) for name in ("changed", "needs_restart", "problems")}


def _said(run_dir: Path) -> dict[str, Any]:
    said: dict[str, Any] = runfile.read(run_dir, runfile.BROKER).get("reload") or {}
    return said

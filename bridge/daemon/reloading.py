"""How another broker is made to read its login files: by a command, or by a request that systemd sees and grants."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bridge.errors import PostbellError
from bridge.setup.broker import RELOAD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOOK_S = 30.0
GRANTED_S, LOOK_S = 5.0, 0.05
_SHOWN = 200  # characters of what a hook complains of


class LoginsUntoldError(PostbellError):
    """The broker may not know the logins as they are now; the text says why, and what to do."""


class Reloading:
    """Has the broker read anew: by `hook`, a command and its arguments, else by a file in `directory`."""

    def __init__(self, *, hook: Sequence[str], directory: Path, broker: str) -> None:
        self._hook = tuple(hook)
        self._request = directory / RELOAD
        self._broker = broker

    async def ask(self) -> None:
        """Ask, and wait until it was done or taken in hand; raises LoginsUntoldError."""
        if self._hook:
            await self._run()
        else:
            await self._wait_until_granted()

    async def _run(self) -> None:
        words = " ".join(self._hook)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._hook,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise LoginsUntoldError(f"mqtt.logins_hook ({words}): {error.strerror}; mend the key") from error
        try:
            async with asyncio.timeout(HOOK_S):  # wait_for of Python 3.11 can swallow a cancellation
                said, _ = await process.communicate()
        except TimeoutError as error:
            raise LoginsUntoldError(f"mqtt.logins_hook ({words}) has not ended after {HOOK_S:.0f} s") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            complaint = said.decode(errors="replace").strip()[-_SHOWN:] or "it said nothing"
            raise LoginsUntoldError(f"mqtt.logins_hook ({words}) ended with {process.returncode}: {complaint}")

    async def _wait_until_granted(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._request.touch(mode=0o640)
        except OSError as error:
            raise LoginsUntoldError(f"{self._request}: {error.strerror}; it asks {self._broker} to read") from error
        give_up_at = loop.time() + GRANTED_S
        while self._request.exists():
            if loop.time() > give_up_at:
                raise LoginsUntoldError(
                    f"nobody took {self._request} away, so {self._broker} has not read its logins: "
                    f"systemctl enable --now postbell-{self._broker}.path, or set mqtt.logins_hook"
                )
            await asyncio.sleep(LOOK_S)

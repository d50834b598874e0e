"""The secret of a mailbox, had from its file or command each time that it is needed, and kept nowhere."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import in_words
from bridge.imap.errors import ImapSecretError
from bridge.mailbox.account import SecretKind

if TYPE_CHECKING:
    from bridge.mailbox.account import Secret

COMMAND_S = 30.0
LONGEST = 16 * 1024
"""Bytes of a password or token; the tokens of some providers have thousands."""


async def get(secret: Secret) -> str:
    """The password or token; raises ImapSecretError, in which nothing of it stands."""
    if secret.kind is SecretKind.PASSWORD_FILE:
        text = await asyncio.to_thread(_read, Path(secret.where))
    else:
        text = await _ask(secret.where)
    line = text.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        found = line.decode()
    except UnicodeDecodeError as error:
        raise ImapSecretError(f"{secret.where}: this is no text") from error
    if not found or "\0" in found:
        raise ImapSecretError(f"{secret.where}: the first line is empty")
    return found


def changed(secret: Secret) -> tuple[int, int] | None:
    """What differs when the file of a secret was written anew; None for a command, or where there is no file."""
    if secret.kind is not SecretKind.PASSWORD_FILE:
        return None
    try:
        found = Path(secret.where).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST)
    except OSError as error:
        raise ImapSecretError(f"{path}: {in_words(error)}") from error


async def _ask(command: str) -> bytes:
    """The first bytes of what a command writes; no shell is asked."""
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST,
        )
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ImapSecretError(f"the command {command.split(' ', 1)[0]} cannot be run: {in_words(error)}") from error
    assert process.stdout is not None
    try:
        async with asyncio.timeout(COMMAND_S):
            text = await process.stdout.read(LONGEST)
            while text and b"\n" not in text and len(text) < LONGEST:
                more = await process.stdout.read(LONGEST - len(text))
                if not more:
                    break
                text += more
            code = await process.wait()
    except TimeoutError as error:
        raise ImapSecretError(f"the command {command.split(' ', 1)[0]} took more than {COMMAND_S:.0f} s") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
    if code:
        raise ImapSecretError(f"the command {command.split(' ', 1)[0]} ended with {code}")
    return text

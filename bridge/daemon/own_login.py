"""The bridge's own password at a broker whose login files Postbell keeps: it stands in a file, and may change there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bridge.config.passing import judged
from bridge.errors import ConfigurationError
from bridge.store import logins

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from bridge.config.own_secret import OwnSecret


class OwnLogin:
    """The password in a file, which is made when it is not there, unless it is a line among those of all nodes.

    `admit` has it open the login, in the store.
    """

    def __init__(self, secret: OwnSecret, *, admit: Callable[[str], Awaitable[None]]) -> None:
        self._secret = secret
        self._admit = admit
        self._known = ""

    async def take_up(self) -> bool:
        """Have what the file says now count; whether it is another one. Raises ConfigurationError and store errors."""
        password = self._password()
        if password == self._known:
            return False
        await self._admit(password)
        self._known = password
        return True

    def _password(self) -> str:
        try:
            password = self._secret.read()
        except FileNotFoundError:
            return renew(self._secret.path)
        except OSError as error:
            raise ConfigurationError(
                f"{self._secret.path}: {error.strerror}; it has the bridge's own password"
            ) from error
        return password or renew(self._secret.path)


def renew(path: Path) -> str:
    """Write a new password in the place of the old, whole or not at all; raises ConfigurationError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    password = logins.generate()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(f"{password}\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise judged(
            error,
            f"{path}: {error.strerror}; the bridge's own password is to be written there: name a place that this user "
            "may write as mqtt.password_file, or leave the key out",
        ) from error
    return password

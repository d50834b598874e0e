"""Keeps the files in which another broker finds Postbell's logins: as the store has them, soon after each change.

The files are written whole, each in one step, and only when they differ. They are also what is remembered of logins
that went: whoever stands in them and is in the store no more has a session at the broker that is still to be ended
(publish/visit.py). Until that is done they stay, with a password that nobody knows and no rights; so it is
done whatever is killed meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from typing import TYPE_CHECKING, Protocol

import structlog

from bridge.daemon.reloading import LoginsUntoldError
from bridge.errors import ConfigurationError, RefusedError, StoreUnavailableError
from bridge.store import logins as store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from bridge.kept import MqttLogin
    from bridge.setup.recipe import File

LOOK_S = 0.5
"""How often the store is asked whether a login changed; that costs one row."""
RETRY_S = 15.0
"""After something went wrong, or a session could not be ended."""
MODE = 0o640


class Form(Protocol):
    """How a broker wants its logins: `bridge.setup.mosquitto` and `bridge.setup.nats`."""

    def login_files(self, logins: Iterable[MqttLogin], *, root: str, home: str) -> tuple[File, ...]:
        """The files by their names in the directory."""

    def named(self, texts: Mapping[str, str]) -> frozenset[str]:
        """Whose logins stand in them."""


class LoginFiles:
    """The files. `own` takes up the bridge's own password, `read` and `revision` are of the store.

    `reload` has the broker read; `dismiss` ends the session of a login, given its name and its last password. `unread`
    is a file that is there while what was written was not read, where several keep these: whoever wrote may have died.
    """

    def __init__(
        self,
        *,
        form: Form,
        directory: Path,
        lock: Path,
        root: str,
        home: str = "",
        own: Callable[[], Awaitable[bool]],
        revision: Callable[[], Awaitable[int]],
        read: Callable[[], Awaitable[list[MqttLogin]]],
        reload: Callable[[], Awaitable[None]],
        dismiss: Callable[[str, str], Awaitable[None]],
        unread: Path | None = None,
    ) -> None:
        self._form = form
        self._directory = directory
        self._lock = lock
        self._root, self._home = root, home
        self._own = own
        self._revision = revision
        self._read = read
        self._reload = reload
        self._dismiss = dismiss
        self._unread_file = unread
        self._written = -1
        self._unread = True  # who was here before may have written and not asked
        self._one_at_a_time = asyncio.Lock()
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Keep them until cancelled; trouble is logged once for each reason, and it is tried again."""
        trouble = ""
        while True:
            pause_s = LOOK_S
            try:
                changed = await self._own()
                if changed or await self._revision() != self._written:
                    await self.bring_up_to_date()
                trouble = ""
            except (LoginsUntoldError, StoreUnavailableError, ConfigurationError) as error:
                pause_s = RETRY_S
                if str(error) != trouble:
                    self._log.warning("logins_not_told", reason=str(error))
                trouble = str(error)
            await asyncio.sleep(pause_s)

    async def bring_up_to_date(self) -> list[str]:
        """Write what differs, have it read, end the sessions of logins that went.

        Gives the logins that are left out, since their passwords are from before these files could be
        written. Raises LoginsUntoldError, or StoreUnavailableError.
        """
        async with self._one_at_a_time:
            with await asyncio.to_thread(self._locked):
                await self._own()
                self._written = await self._revision()
                try:
                    return await self._bring_up_to_date()
                except BaseException:
                    self._written = -1
                    raise

    def _locked(self) -> _Lock:
        if self._lock.parent != self._directory:  # that one is made by who knows as whom the broker reads it
            return _Lock(self._lock)
        try:
            return _Lock(self._lock, make=False)
        except OSError as error:
            raise self._unusable(error) from error

    async def _bring_up_to_date(self) -> list[str]:
        logins = await self._read()
        known = {login.username for login in logins}
        leaving = {name: store.generate() for name in sorted(self._form.named(self._texts()) - known)}
        last = [await asyncio.to_thread(_without_rights, *each) for each in leaving.items()]
        self._unread |= self._write([*logins, *last], unread=self._unread_file) or self._left_unread()
        if self._unread:
            await self._reload()
            self._unread = False
            self._note_read()
            left_out = [login.username for login in logins if not login.pbkdf2]
            self._log.info("logins_told", logins=len(logins) - len(left_out), left_out=len(left_out))
        if leaving:
            await self._see_off(leaving)
            self._write(logins)  # the broker may read that whenever it reads next
        return [login.username for login in logins if not login.pbkdf2]

    async def _see_off(self, leaving: Mapping[str, str]) -> None:
        """End the sessions; who could not be seen off stands in the files until the next try."""
        outcomes = await asyncio.gather(
            *(self._dismiss(name, password) for name, password in leaving.items()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, RefusedError):
                raise LoginsUntoldError(str(outcome)) from outcome
            if isinstance(outcome, BaseException):
                raise outcome
        for name in leaving:
            self._log.info("session_ended", username=name)

    def _texts(self) -> dict[str, str]:
        """The files as they are."""
        texts = {}
        for file in self._form.login_files((), root=self._root, home=self._home):
            try:
                texts[file.path] = (self._directory / file.path).read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise LoginsUntoldError(f"{self._directory / file.path}: {error}") from error
        return texts

    def _left_unread(self) -> bool:
        """Whether another process wrote and did not live to have it read."""
        return self._unread_file is not None and self._unread_file.exists()

    def _write(self, logins: Iterable[MqttLogin], *, unread: Path | None = None) -> bool:
        """Write the files that differ, having noted in a file, if any, that they are `unread`; whether any did."""
        before, changed = self._texts(), False
        for file in self._form.login_files(logins, root=self._root, home=self._home):
            if before.get(file.path) != file.text:
                self._note_unread(unread)
                self._replace(self._directory / file.path, file.text)
                changed = True
        return changed

    def _note_unread(self, unread: Path | None) -> None:
        try:
            if unread is not None:
                unread.touch(mode=MODE)
        except OSError as error:
            raise self._unusable(error) from error

    def _note_read(self) -> None:
        try:
            if self._unread_file is not None:
                self._unread_file.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _replace(self, path: Path, text: str) -> None:
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=MODE)
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.chmod(MODE)  # whatever umask this process has
            fresh.replace(path)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> LoginsUntoldError:
        return LoginsUntoldError(
            f"mqtt.logins_dir = {str(self._directory)!r}: {error.strerror}; make it a directory that this user may "
            "write and the broker read, as postbell setup does"
        )


class _Lock:
    """A lock among processes: a command may write the files while no bridge runs."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = path.open("a")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __enter__(self) -> None:
        """It is taken since it was made."""

    def __exit__(self, *_exception: object) -> None:
        self._file.close()


def _without_rights(username: str, password: str) -> MqttLogin:
    return store.verified(username, password, role="leaving")

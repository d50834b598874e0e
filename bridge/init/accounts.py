"""Doing something as another user of the system, so that what comes of it belongs to that user."""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING, Any

from bridge.errors import ConfigurationError, PostbellError

if TYPE_CHECKING:
    from collections.abc import Callable


def in_the_name_of(account: str, work: Callable[[], Any]) -> Any:
    """What a function returns when a child of this process runs it as a system user; it must be JSON.

    With an empty name this process runs it itself. Raises the PostbellError of the function, and
    ConfigurationError when there is no such user.
    """
    if not account:
        return work()
    try:
        user = pwd.getpwnam(account)
    except KeyError as error:
        raise ConfigurationError(
            f"there is no system user {account!r}; make it, or name another with --run-as"
        ) from error
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as stream:
            stream.write(json.dumps(_tried(user, work)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return _told(json.loads(said or b'["failed", "it was killed"]'))


def _tried(user: pwd.struct_passwd, work: Callable[[], Any]) -> tuple[str, Any]:
    """In the child: become the user and do it. Nothing may get out of here, or there would be two of us."""
    try:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.umask(0o077)
        os.chdir("/")
        os.environ["HOME"] = user.pw_dir
        return "done", work()
    except ConfigurationError as error:
        return "refused", str(error)
    except ImportError as error:
        return "failed", (
            f"{user.pw_name} cannot read the program ({error}): it could not run it as a service, either; "
            "put it where everybody may read, as in /opt"
        )
    except BaseException as error:  # noqa: BLE001 - as said
        return "failed", str(error) or type(error).__name__


def _told(answer: list[Any]) -> Any:
    kind, what = answer
    if kind == "done":
        return what
    raise ConfigurationError(what) if kind == "refused" else PostbellError(what)

"""The data of one user, for that user: what is known, every header as a line of JSON, every mail that is kept."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bridge import spool
from bridge.archive.contents import TakenError
from bridge.store import belongings, offline
from bridge.store.copies import sync_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.archive.making import State
    from bridge.archive.tape import ArchiveWriter, Readable
    from bridge.store.belongings import Belonging

PROFILE: Final = "user.json"
MESSAGES: Final = "messages.jsonl"
MAIL: Final = "mail"
IN_MEMORY_BYTES = 2**20


class Shelf(Protocol):
    """Where the files of an export go."""

    def add(self, name: str, file: Readable, *, size: int) -> None:
        """Put a file of so many bytes there; raises OSError."""


class NewFolder:
    """A new directory, which has its name when all of it is there."""

    def __init__(self, path: Path) -> None:
        """Raises TakenError when there is something of that name already."""
        if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
            raise TakenError(f"{path}: there is something already; name a new directory")
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(mode=0o700)

    def add(self, name: str, file: Readable, *, size: int) -> None:
        """Write a file."""
        del size
        path = self._unfinished / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            while chunk := file.read(IN_MEMORY_BYTES):
                written.write(chunk)

    def finish(self) -> None:
        """Give it its name."""
        os.sync()  # thousands of small files at once, where a call for each would take minutes
        self._unfinished.replace(self._path)
        sync_directory(self._path.absolute().parent)

    def discard(self) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self._unfinished, ignore_errors=True)


class InArchive:
    """An archive, in which all is below a folder of the user's name."""

    def __init__(self, writer: ArchiveWriter, user: str) -> None:
        self._writer = writer
        self._user = user

    def add(self, name: str, file: Readable, *, size: int) -> None:
        """Write a member."""
        self._writer.add(f"{self._user}/{name}", file, size=size)


@dataclass(frozen=True, slots=True)
class Exported:
    """How much it was: messages, and how many of them with the mail itself."""

    user: str
    messages: int
    mails: int


def export(state: State, user: str, shelf: Shelf, *, devices: Sequence[dict[str, Any]]) -> Exported:
    """Put all that is known of a user onto a shelf, while all runs; raises PeopleError, store errors or OSError."""
    with spool.staying(state.spool_dir), offline.picture(state.database) as picture:
        profile = belongings.profile(picture, user)
        count = mails = 0
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as lines:
            for message in belongings.messages(picture, profile.user_id):
                place = _put(message, state.spool_dir, shelf)
                lines.write(_line(message.facts | {"file": place}))
                count += 1
                mails += place is not None
            size = lines.tell()
            lines.seek(0)
            shelf.add(MESSAGES, lines, size=size)
    known = asdict(profile) | {"devices": list(devices)}
    known.pop("user_id")
    told = json.dumps(known, ensure_ascii=False, indent=1).encode()
    shelf.add(PROFILE, io.BytesIO(told), size=len(told))
    return Exported(user, count, mails)


def _put(message: Belonging, spool_dir: Path, shelf: Shelf) -> str | None:
    """Put the mail itself there; where, None when it is not kept any more."""
    place = f"{MAIL}/{message.mail_id}.eml"
    body = message.body
    if body is None:
        return None
    if body.file is None:
        raw = body.raw or b""
        shelf.add(place, io.BytesIO(raw), size=len(raw))
        return place
    size = spool.size_of(spool_dir, body.file)
    if size is None:
        return None
    with spool.opened(spool_dir, body.file) as file:
        shelf.add(place, file, size=size)
    return place


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False).encode() + b"\n"

"""A state with mail in it, backups of it, and what is found in them."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from contextlib import closing

from bridge.archive import making, placing, unpacking
from bridge.archive.making import State
from bridge.contract.header import unpack_header
from bridge.spool import Spool
from bridge.store import messages, offline
from tests.support.stored import NOON_MS, add_user, header, mail, storing, to


def a_state(directory):
    """A state that alice uses, with a key."""
    place = directory / "state"
    found = State(database=place / "postbell.db", spool_dir=place / "spool", key=place / "local.key")
    add_user(found.database, "alice")
    found.key.write_bytes(b"k" * 32)
    Spool(found.spool_dir).close()
    return found


def saved(state, tmp_path, **options):
    """A backup as bytes, and what it says of itself."""
    stream = io.BytesIO()
    head = making.make(state, stream, scratch=tmp_path, version="9.9", node="main", now_ms=NOON_MS, **options)
    return stream.getvalue(), head


def unpacked(backup, into):
    found = unpacking.unpack(io.BufferedReader(io.BytesIO(backup)), into)
    placing.make_fit(into, found)
    return found


def rows(path, query="SELECT number, body_id FROM message ORDER BY number"):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def keep(store, spooling, text, *, large=False):
    """A message of alice's, in the database or in the spool."""
    if not large:
        await store.keep(mail(to(1, "alice"), text=text), header(text), message_id=f"<{text}@x>")
        return
    message = spooling.begin()
    await message.write(text.encode().ljust(200_000, b"."))
    body = await message.finish()
    await store.keep(
        mail(to(1, "alice"), text=text, size=body.size, spooled=body.spooled), header(text), message_id=f"<{text}@x>"
    )


def filled(state, text):
    """Have alice get two more mails, a small and a large one."""

    async def story():
        async with storing(state.database) as store:
            spooling = Spool(state.spool_dir)
            await keep(store, spooling, f"{text} small")
            await keep(store, spooling, f"{text} large", large=True)
            spooling.close()

    asyncio.run(story())


def subjects(database_path):
    with offline.reading(database_path) as connection:
        return sorted(unpack_header(payload).subject for _, payload in messages.recent(connection, 1, 99))

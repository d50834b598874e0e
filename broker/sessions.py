"""What outlives the broker, in its own SQLite file: sessions with undelivered messages, and what is retained.

Everything is group-committed by one thread. `queue` gives a ticket; once `committed` has reached it,
the message survives `kill -9`, and only then does its publisher get a PUBACK. An entry that its
receiver acknowledges before its batch is written never touches the disk, so a device that is online
costs next to nothing here: when all have what they are to get, there is nothing to wait for.

`synchronous=NORMAL`: a killed process loses nothing that was committed; after a power cut the last
commits may be missing, and the bridge's reconciliation brings back what they contained.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from broker import saved, sessionfile
from broker.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from broker.saved import SavedEntry, SavedSession
    from broker.wire.message import Message

_GATHER_S = 0.002  # that a batch stays open for more, and for acknowledgements that make it smaller
_QUIET_S = 5.0  # without a write, after which the log is emptied
_RETRY_S = 1.0  # until a batch that could not be written is tried again


class SessionStore:
    """The journal of all persistent sessions and of the retained set. All methods belong to the event loop's thread."""

    def __init__(self, path: Path) -> None:
        self.committed = 0
        self._log = structlog.get_logger()
        self._path = path
        self._database = sessionfile.open_file(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sessions")
        self._loop = asyncio.get_running_loop()
        self._unsaved = Batch(0)  # handed to the thread, and not known to be on disk
        self._batch = Batch(1)
        self._waiting: set[Callable[[], None]] = set()
        self._due = False  # something is to be written that was not handed over
        self._writing = True  # nothing is handed over: a batch is, or it has not been started, or has been closed
        self._next: asyncio.TimerHandle | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._quiet_at = 0.0
        self._failed: asyncio.Future[None] = self._loop.create_future()

    def load(self) -> list[SavedSession]:
        """All sessions on disk, their queues as figures; called once, before `start`."""
        return saved.sessions(self._database)

    async def queue_of(self, username: str, *, after: int, before: int) -> list[SavedEntry]:
        """Some of what waited for a login when the last process ended, in order; none when that was all of it.

        Those whose sequence numbers lie between `after` and `before`. It is read by the thread that writes.
        """
        read = functools.partial(saved.queue, self._database, username, after=after, before=before)
        return await self._loop.run_in_executor(self._thread, read)

    def load_retained(self, prefix: str) -> Iterator[Message]:
        """What is retained below a prefix; called once, before `start`."""
        return saved.retained(self._database, prefix)

    def load_visitors(self) -> set[str]:
        """Those of whom it is known when they were here; called once, before `start`. Nobody is any more."""
        return saved.visitors(self._database)

    def start(self) -> None:
        """Begin to write."""
        self._go_on()

    async def watch(self) -> None:
        """Wait while it writes; raises what the writer failed with, since from then on nothing is safe."""
        await asyncio.shield(self._failed)

    async def close(self) -> None:
        """Write what waits and close the file."""
        if self._failed.done():
            await self._failed
        self._failed.cancel()
        for timer in (self._next, self._quiet):
            if timer is not None:
                timer.cancel()
        self._writing = True
        try:
            for batch in (self._unsaved, self._batch):
                await self._loop.run_in_executor(self._thread, self._commit, batch)
        except sqlite3.Error as error:
            self._log.warning("sessions_not_saved", file=str(self._path), error=str(error))
        await self._loop.run_in_executor(self._thread, self._database.close)
        self._thread.shutdown()

    def remember(self, username: str, credential: bytes, seen_s: float, expiry_s: int) -> None:
        """Create or refresh a session: who opened it last, when it was last connected (epoch), when it ends then."""
        self.change("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", username, credential, seen_s, expiry_s)

    def subscribe(self, username: str, topic_filter: str, options: int, identifier: int = 0) -> None:
        """Keep a subscription."""
        self.change("INSERT OR REPLACE INTO filter VALUES (?, ?, ?, ?)", username, topic_filter, options, identifier)

    def unsubscribe(self, username: str, topic_filter: str) -> None:
        """Drop a subscription."""
        self.change("DELETE FROM filter WHERE username = ? AND topic_filter = ?", username, topic_filter)

    def forget(self, username: str) -> None:
        """Drop a session with all it holds."""
        entries = self._batch.entries
        for key in [key for key in entries if key[0] == username]:
            del entries[key]
        for table in ("session", "filter", "queued", "received"):
            self.change(f"DELETE FROM {table} WHERE username = ?", username)  # noqa: S608  (four fixed names)

    def take_in(self, username: str, packet_id: int) -> int:
        """Remember that a PUBLISH of QoS 2 was taken. Returns the ticket, as `queue` does [MQTT-4.3.3-8]."""
        self.change("INSERT OR REPLACE INTO received VALUES (?, ?)", username, packet_id)
        return self._batch.number

    def release(self, username: str, packet_id: int) -> int:
        """Its PUBREL came: the packet id may come anew once the ticket is safe."""
        self.change("DELETE FROM received WHERE username = ? AND packet_id = ?", username, packet_id)
        return self._batch.number

    def queue(
        self, username: str, seq: int, message: Message, *, retain: bool = False, ids: tuple[int, ...] = ()
    ) -> int:
        """Keep a message until `done`. Returns the ticket that says when it is safe."""
        batch = self._batch
        batch.entries[username, seq] = (message, retain, ids)
        self._changed()
        return batch.number

    def done(self, username: str, seq: int) -> None:
        """The message was acknowledged or dropped. With the last that is asked for, who waits need not wait longer."""
        batch = self._batch
        if batch.entries.pop((username, seq), None) is None:
            batch.entries[username, seq] = None
            self._changed()
        elif not batch.entries and self._waiting and not batch and not self._unsaved:
            self._loop.call_soon(self._skip_disk)

    def retain(self, message: Message) -> int:
        """Keep a topic's retained message, or clear it with an empty payload. Returns the ticket, as `queue` does."""
        batch = self._batch
        batch.retained[message.topic] = message if message.payload else None
        self._changed()
        return batch.number

    def change(self, sql: str, *values: object) -> None:
        """Have a statement run with the next commit."""
        self._batch.changes.append((sql, values))
        self._changed()

    @property
    def ticket(self) -> int:
        """The ticket after which all that was asked so far is safe."""
        return self._batch.number - (not self._batch)

    def call_on_commit(self, callback: Callable[[], None]) -> None:
        """Call back once, after the next commit, however often this is asked before it."""
        self._waiting.add(callback)

    def _changed(self) -> None:
        """Something is to be written: in a moment, with all that comes until then."""
        if not self._due:
            self._due = True
            if not self._writing:
                self._next = self._loop.call_later(_GATHER_S, self._hand_over)

    def _go_on(self) -> None:
        """Nothing is being written any more."""
        self._writing = False
        if self._due:
            self._next = self._loop.call_later(_GATHER_S, self._hand_over)

    def _hand_over(self) -> None:
        """Have the thread write what was gathered."""
        batch = self._unsaved = self._batch
        self._batch = Batch(batch.number + 1)
        self._due, self._writing = False, True
        if batch:
            self._write(batch)
        else:
            self._written(batch, None)

    def _write(self, batch: Batch) -> None:
        def write() -> None:
            failed: BaseException | None = None
            try:
                self._commit(batch)
            except BaseException as error:  # noqa: BLE001 - who watches has it
                failed = error
            self._loop.call_soon_threadsafe(self._written, batch, failed)

        self._thread.submit(write)

    def _written(self, batch: Batch, failed: BaseException | None) -> None:
        """A batch is on disk, or could not be written: it is tried again, unless a defect is the cause."""
        if self._failed.done():
            return
        try:
            if failed is None:
                self._unsaved = Batch(batch.number)
                self._let_go(batch.number)
                self._look_for_quiet()
                self._go_on()
            elif isinstance(failed, sqlite3.Error):
                self._log.warning("sessions_not_saved", file=str(self._path), error=str(failed))
                self._let_go(self._batch.number)
                self._next = self._loop.call_later(_RETRY_S, self._write, batch)
            else:
                self._failed.set_exception(failed)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed.set_exception(error)

    def _look_for_quiet(self) -> None:
        """After a while without a write, what is gone goes from the log as well."""
        self._quiet_at = self._loop.time() + _QUIET_S
        if self._quiet is None:
            self._quiet = self._loop.call_later(_QUIET_S, self._be_quiet)

    def _be_quiet(self) -> None:
        left_s = self._quiet_at - self._loop.time()
        if self._due or self._writing or left_s > 0:
            self._quiet = self._loop.call_later(max(left_s, _RETRY_S), self._be_quiet)
        else:
            self._quiet = None
            self._thread.submit(self._empty_log)

    def _empty_log(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # a reader, a full disk: the next time
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _skip_disk(self) -> None:
        """All that waited for the disk has been acknowledged, and nothing is on its way there: who waits, goes on."""
        if not self._batch and not self._unsaved:
            self._batch.number += 1
            self._let_go(self._batch.number - 1)

    def _let_go(self, number: int) -> None:
        """Let publishers go on. When the disk fails also without its promise: the bridge's store has the mail."""
        self.committed = max(self.committed, number)
        waiting, self._waiting = self._waiting, set()
        for callback in waiting:
            callback()

    def _commit(self, batch: Batch) -> None:
        if batch:
            batch.write(self._database)

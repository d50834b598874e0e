"""A mail server for tests that can be as good or as bad as one likes: it speaks just enough IMAP, on loopback."""

from __future__ import annotations

import asyncio
import re
import threading
from base64 import b64decode
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator

PASSWORD = "secret"
DATE = "28-May-2026 12:00:00 +0000"


@dataclass
class Letter:
    """A mail of the folder."""

    raw: bytes
    seen: bool = False
    deleted: bool = False
    date: str = DATE
    modseq: int = 1

    @property
    def flags(self) -> str:
        return " ".join([*([r"\Seen"] if self.seen else []), *([r"\Deleted"] if self.deleted else [])])


@dataclass
class MailServer:
    """One folder, INBOX. `says` may answer a command by itself: bytes are sent as they are, None is no answer."""

    capabilities: str = "IMAP4rev1 AUTH=PLAIN IDLE CONDSTORE"
    validity: int = 7
    letters: dict[int, Letter] = field(default_factory=dict)
    next_uid: int = 1
    modseq: int = 1
    greeting: bytes = b"* OK hello\r\n"
    says: Callable[[str], bytes | None] = lambda _: b""
    port: int = 0
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    refuses_command: str = ""
    """Commands with this in them are refused, if it is not empty."""
    gone: dict[int, int] = field(default_factory=dict)
    """UIDs of mails that went, and the count at which they did (RFC 7162 §3.2.6)."""
    enables: bool = True
    passed: set[int] = field(default_factory=set)
    """UIDs of mails that changed when a look at what changed had passed them: it leaves them out, once."""
    refuses: str = ""
    """The response code with which logins are refused, if they are, and perhaps the text behind it."""
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _resyncs: set[asyncio.StreamWriter] = field(default_factory=set)
    _idle: dict[asyncio.StreamWriter, bool] = field(default_factory=dict)
    _pending: dict[asyncio.StreamWriter, list[bytes]] = field(default_factory=dict)

    def add(self, raw: bytes, *, seen: bool = False, date: str = DATE) -> int:
        """A mail comes."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.letters[uid] = Letter(raw, seen, date=date, modseq=self.modseq + 1)
        self.changed(f"* {len(self.letters)} EXISTS")
        return uid

    def mark(self, uid: int, *, seen: bool) -> None:
        """Somebody reads a mail, or wants it unread."""
        self.letters[uid].seen = seen
        self.letters[uid].modseq = self.modseq + 1
        counted = f" MODSEQ ({self.modseq + 1})" if "CONDSTORE" in self.capabilities else ""
        self.changed(f"* {self.number(uid)} FETCH (FLAGS ({self.letters[uid].flags}){counted})")

    def expunge(self, uid: int) -> None:
        """A mail goes."""
        number = self.number(uid)
        del self.letters[uid]
        self.gone[uid] = self.modseq + 1
        self.changed(f"* {number} EXPUNGE", resynced=f"* VANISHED {uid}")

    def number(self, uid: int) -> int:
        return list(self.letters).index(uid) + 1

    def changed(self, said: str, *, resynced: str = "") -> None:
        """Tell those who wait at once, and the others with the next answer; those with QRESYNC perhaps otherwise."""
        self.modseq += 1
        for writer in self._idle:
            told = resynced if resynced and writer in self._resyncs else said
            self._pending.setdefault(writer, []).append(told.encode() + b"\r\n")
            if self._idle[writer]:
                self._tell(writer)

    def _tell(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(self._pending.pop(writer, [])))

    def cut(self) -> None:
        """All connections end."""
        for writer in self._writers:
            writer.transport.abort()

    # --- the protocol -----------------------------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        writer.write(self.greeting)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                tag, _, command = line.decode().strip().partition(" ")
                self.commands.append(command)
                said = self.says(command)
                if said is None:
                    continue
                writer.write(said)
                if command.startswith("AUTHENTICATE"):
                    writer.write(b"+ \r\n")
                    given = b64decode(await reader.readline()).decode()
                    right = given.endswith((f"\0{PASSWORD}", f"auth=Bearer {PASSWORD}\x01\x01"))
                    writer.write(f"{tag} {self._login(right=right)}\r\n".encode())
                elif command == "IDLE":
                    writer.write(b"+ idling\r\n")
                    self._idle[writer] = True
                    self._tell(writer)
                    await reader.readline()
                    self._idle[writer] = False
                    writer.write(f"{tag} OK done\r\n".encode())
                else:
                    if command == "ENABLE QRESYNC" and "QRESYNC" in self.capabilities.split() and self.enables:
                        self._resyncs.add(writer)
                        writer.write(b"* ENABLED QRESYNC\r\n")
                    assert "VANISHED" not in command or writer in self._resyncs
                    writer.write(b"".join(self._answer(command)))
                    if command.startswith("SELECT"):
                        self._idle[writer] = False
                    self._tell(writer)
                    writer.write(f"{tag} {self._ends(command)}\r\n".encode())
                await writer.drain()
        self._idle.pop(writer, None)
        writer.close()

    def _login(self, *, right: bool) -> str:
        if self.refuses:
            code, _, text = self.refuses.partition(" ")
            return f"NO [{code}] {text or 'not now'}"
        return "OK come in" if right else "NO [AUTHENTICATIONFAILED] wrong"

    def _ends(self, command: str) -> str:
        if command.startswith("LOGIN"):
            return self._login(right=command.endswith(f'"{PASSWORD}"'))
        if self.refuses_command and self.refuses_command in command:
            return "BAD no such command"
        if command.startswith("SELECT") and '"INBOX"' not in command:
            return "NO [NONEXISTENT] no such folder"
        return "OK done"

    def _answer(self, command: str) -> list[bytes]:
        words = command.split()
        if words[0] == "CAPABILITY":
            return [f"* CAPABILITY {self.capabilities}\r\n".encode()]
        if words[0] == "LIST":
            return [b'* LIST (\\HasNoChildren) "/" INBOX\r\n']
        if words[0] == "SELECT" and '"INBOX"' in command:
            said = f"* {len(self.letters)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] x\r\n"
            said += f"* OK [UIDNEXT {self.next_uid}] x\r\n* OK [HIGHESTMODSEQ {self.modseq}] x\r\n"
            return [said.encode(), *self._meanwhile(command)]
        return self._by_uid(words, command) if words[0] == "UID" else []

    def _by_uid(self, words: list[str], command: str) -> list[bytes]:
        if words[1] == "SEARCH":
            if (known := re.fullmatch(r"UID SEARCH UID ([\d:,]+)", command)) is not None:
                return [f"* SEARCH {' '.join(map(str, self._those(known[1])))}\r\n".encode()]
            asked = re.search(r"UID SEARCH (?:(\d+):(\d+|\*) )?UID (\d+):\*(?: SINCE (\S+))?", command)
            assert asked is not None, command
            start, end = int(asked[1] or 1), None if asked[2] in {None, "*"} else int(asked[2])
            first, since = int(asked[3]), _day(asked[4]) if asked[4] else ()
            there = list(self.letters.items())[start - 1 : end]
            uids = [uid for uid, mail in there if uid >= first and _day(mail.date) >= since]
            return [f"* SEARCH {' '.join(map(str, uids))}\r\n".encode()]
        if words[1] == "STORE":
            for uid in self._those(words[2]):
                self.letters[uid].seen = words[3].startswith("+")
                self.modseq += 1
                self.letters[uid].modseq = self.modseq
            return []
        if (changed := re.search(r"UID FETCH (\S+) .*\(CHANGEDSINCE (\d+)( VANISHED)?\)", command)) is not None:
            return self._since(changed[1], int(changed[2]), vanished=changed[3] is not None)
        return [self._fetch(uid, command) for uid in self._those(words[2])]

    def _meanwhile(self, command: str) -> list[bytes]:
        """What happened since a moment to mails that the client knows, where it asks for that."""
        asked = re.search(r"\(QRESYNC \((\d+) (\d+) ([\d:,]+)\)\)", command)
        if asked is None or "QRESYNC" not in self.capabilities.split() or int(asked[1]) != self.validity:
            return []
        return self._since(asked[3], int(asked[2]), vanished=True)

    def _since(self, uids: str, since: int, *, vanished: bool) -> list[bytes]:
        """What happened to these mails since a count."""
        known = {uid for part in uids.split(",") for uid in _range(part)}
        gone = [str(uid) for uid, modseq in self.gone.items() if modseq > since and uid in known]
        changed = [uid for uid in known if uid in self.letters and self.letters[uid].modseq > since]
        left, self.passed = set(changed) - self.passed, set()
        said = [f"* VANISHED (EARLIER) {','.join(gone)}\r\n".encode()] if gone and vanished else []
        return [*said, *(self._fetch(uid, "FLAGS MODSEQ") for uid in sorted(left))]

    def _those(self, said: str) -> list[int]:
        found = []
        for part in said.split(","):
            found += [uid for uid in _range(part) if uid in self.letters]
        return found

    def _fetch(self, uid: int, command: str) -> bytes:
        mail = self.letters[uid]
        said = f"* {self.number(uid) if len(self.letters) < 1000 else uid} FETCH (UID {uid}"
        if "FLAGS" in command:
            said += f" FLAGS ({mail.flags})"
        if "MODSEQ" in command:
            said += f" MODSEQ ({mail.modseq})"
        if "INTERNALDATE" in command:
            said += f' INTERNALDATE "{mail.date}" RFC822.SIZE {len(mail.raw)}'
        part = re.search(r"BODY\.PEEK\[([^]]*)\]<(\d+)\.(\d+)>", command)
        if part is None:
            return f"{said})\r\n".encode()
        text = mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if part[1] else mail.raw
        text = text[int(part[2]) : int(part[2]) + int(part[3])]
        return f"{said} BODY[{part[1]}]<{part[2]}> {{{len(text)}}}\r\n".encode() + text + b")\r\n"


def _range(part: str) -> range:
    """The numbers of a part of a set."""
    first, _, last = part.partition(":")
    return range(int(first), int(last or first) + 1)


def _day(date: str) -> tuple[int, ...]:
    """A day that can be compared."""
    day, month, year = date.split(" ", maxsplit=1)[0].split("-")
    return int(year), "JanFebMarAprMayJunJulAugSepOctNovDec".index(month), int(day)


@asynccontextmanager
async def serving(server: MailServer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[MailServer]:
    """It listens within the block."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.cut()


@contextmanager
def beside(server: MailServer, *, tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """It listens within the block, in a thread, so that a command can be typed in this one."""
    listening = threading.Event()
    end: list[Callable[[], object]] = []

    async def run() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with serving(server, tls=tls):
            end.append(lambda: loop.call_soon_threadsafe(ended.set))
            listening.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert listening.wait(60)
    try:
        yield server
    finally:
        end[0]()
        thread.join(60)

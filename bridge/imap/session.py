"""What a follower asks of a mail server: log in, open a folder, look, mark, fetch, wait. All raise ImapError."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.imap import naming, replies, selecting, values
from bridge.imap.dialogue import open_dialogue
from bridge.imap.errors import ImapError, ImapLimitError, ImapLoginError, ImapLostError, ImapNoError
from bridge.imap.hearing import Unasked
from bridge.imap.selecting import Meanwhile
from bridge.mailbox.matching import Sighting

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

    from bridge.imap.dialogue import Dialogue
    from bridge.imap.lines import Response
    from bridge.imap.replies import FetchItems
    from bridge.imap.selecting import KnownFolder, Selected

AT_ONCE = 100
"""Mails that are asked for in one command."""
HEAD_BYTES = 4096
"""So much of the fields that tell mails apart is read."""
PIECE_BYTES = 128 * 1024
"""A mail is fetched in pieces of this size."""
NEWEST = 5_000
"""So far back is looked in a folder that was never looked at, in UIDs; further where mail is fetched from it."""
BREATH_S = 0.02
"""What a server says at once is taken at once."""
TEMPORARY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "OVERQUOTA", "CONTACTADMIN"})
"""Why a login may fail though the password is right (RFC 5530 §3)."""
TOO_MANY = re.compile(r"too many|simultaneous|maximum number of connections", re.IGNORECASE)
"""The same, from servers that say so in words alone, as Gmail does."""


class ImapSession:
    """One connection that is logged in. Made by `ImapSession.open`; ended by `close`."""

    def __init__(self, dialogue: Dialogue, capabilities: frozenset[str]) -> None:
        self._dialogue = dialogue
        self._capabilities = capabilities
        self.close = dialogue.close
        self.heard = Unasked()
        """What the server said of the folder while it was asked for something else."""
        self.resyncs = False
        """Whether it tells which mails are gone since a count (QRESYNC is enabled)."""

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        login: str,
        secret: str,
        token: bool,
        deadline_s: float,
    ) -> ImapSession:
        """Connect and log in; `token`: the secret is an access token. Raises ImapLoginError where that fails."""
        dialogue, greeting = await open_dialogue(host, port, tls=tls, deadline_s=deadline_s)
        session = cls(dialogue, frozenset())
        try:
            if greeting.condition != "PREAUTH":
                await session._log_in(login, secret, token=token)
            session._capabilities = await session._capability()
        except BaseException:
            dialogue.close()
            raise
        return session

    async def _log_in(self, login: str, secret: str, *, token: bool) -> None:
        offered = await self._capability()
        try:
            if token:
                said = b64encode(f"user={login}\x01auth=Bearer {secret}\x01\x01".encode()).decode()
                await self._dialogue.command("AUTHENTICATE XOAUTH2", answers=[said])
            elif "AUTH=PLAIN" in offered:
                said = b64encode(f"\0{login}\0{secret}".encode()).decode()
                await self._dialogue.command("AUTHENTICATE PLAIN", answers=[said])
            elif "LOGINDISABLED" in offered:
                raise ImapLoginError("the server takes no password on this connection")
            else:
                await self._dialogue.command(f"LOGIN {naming.quoted(login)} {naming.quoted(secret)}")
        except ImapNoError as error:
            if error.code in TEMPORARY or TOO_MANY.search(str(error)):
                raise
            raise ImapLoginError(f"the server refuses the login: {error}") from error

    async def _capability(self) -> frozenset[str]:
        found: set[str] = set()
        for response in await self._dialogue.command("CAPABILITY"):
            if replies.kind(response) == "CAPABILITY":
                found.update(response.texts[0].decode("ascii", "replace").upper().split()[2:])
        return frozenset(found)

    def offers(self, capability: str) -> bool:
        """Whether the server says that it can do something."""
        return capability in self._capabilities

    async def folders(self) -> dict[str, frozenset[str]]:
        """The names of all folders as the server writes them, with their attributes in lower case (RFC 6154 §2)."""
        found: dict[str, frozenset[str]] = {}
        for response in await self._dialogue.command('LIST "" "*"', expected=1_000):
            if replies.kind(response) == "LIST":
                words = values.read(response)
                if len(words) > 4 and isinstance(words[4], bytes) and isinstance(words[2], list):
                    attributes = (
                        word.decode("ascii", "replace").lower() for word in words[2] if isinstance(word, bytes)
                    )
                    found[words[4].decode("ascii", "replace")] = frozenset(attributes)
        return found

    async def select(self, name: str, *, known: KnownFolder | None = None) -> Selected:
        """Open a folder; raises ImapNoError where there is none of that name.

        With `known` a server that can tells what happened to these mails since.
        """
        if known is not None and self.offers("QRESYNC"):
            await self._enable()
        more = selecting.resync(known) if known is not None and self.resyncs else ""
        if known is not None and more:
            with suppress(ImapNoError):  # it cannot what it says that it can, or there is no such folder
                said = await self._dialogue.command(selecting.command(name, more=more), expected=len(known.uids))
                return selecting.selected(said, modseqs=True, since=known)
        modseqs = self.offers("CONDSTORE") or self.offers("QRESYNC")
        said = await self._dialogue.command(selecting.command(name, more=" (CONDSTORE)" if modseqs else ""))
        return selecting.selected(said, modseqs=modseqs)

    async def _enable(self) -> None:
        """Have the server tell what is gone, before a folder is open (RFC 7162 §3.2.3), if it can."""
        with suppress(ImapNoError):
            for response in await self._dialogue.command("ENABLE QRESYNC"):
                if replies.kind(response) == "ENABLED" and b"QRESYNC" in response.texts[0].upper().split():
                    self.resyncs = True

    async def search(self, *, first_uid: int, since_ms: int | None, exists: int = 0) -> list[int]:
        """The UIDs from one on, ascending, of mail that came on that day or later.

        Where a folder has so many mails (`exists`) that their UIDs might not go into a line, it is searched in parts.
        """
        since = "" if since_ms is None else f" SINCE {replies.day_of(since_ms)}"
        found: set[int] = set()
        for part in selecting.parts(exists):
            found.update(await self._searched(f"UID SEARCH {part}UID {first_uid}:*{since}"))
        return sorted(uid for uid in found if uid >= first_uid)  # `*` is the last one, also where it is below

    async def _searched(self, command: str) -> list[int]:
        found: list[int] = []
        responses = await self._dialogue.command(command)
        self._note(responses)
        for response in responses:
            if replies.kind(response) == "SEARCH":
                words = response.texts[0].split()[2:]
                if b"(MODSEQ" in words:  # how far what was found is counted (RFC 7162 §3.1.5) is no UID
                    words = words[: words.index(b"(MODSEQ")]
                found += map(replies.number, words)
        return found

    async def seen(self, uids: Sequence[int]) -> dict[int, bool]:
        """Which of these mails there are, and whether each is seen."""
        found: dict[int, bool] = {}
        for some in selecting.pieces(uids):
            those = set(some)
            for mail in await self._fetch(some, "(UID FLAGS)"):
                if mail.uid is not None and mail.uid in those and mail.seen is not None:
                    found[mail.uid] = mail.seen
        return found

    async def changes(self, uids: Sequence[int], *, since: int, compare: bool) -> Meanwhile:
        """What happened to these mails since a count of the folder; raises ImapNoError where the server does not say.

        What is gone is asked for where the server said that something is, or with `compare`, or tells by itself.
        """
        seen: dict[int, bool] = {}
        gone: set[int] = set()
        for some in selecting.pieces(uids, at_once=selecting.CHANGES_AT_ONCE):
            command = selecting.changes(some, since=since, vanished=self.resyncs)
            responses = await self._dialogue.command(command, expected=len(some))
            said = selecting.meanwhile(responses, some)
            seen.update(said.seen)
            gone.update(said.gone)
            asked = set(some)
            for response in responses:
                if _answers(response, asked):
                    self.heard.count(response)
                else:
                    self.heard.hear(response)
        ranges, self.heard.vanished = self.heard.vanished, []
        gone.update(selecting.within(uids, ranges))
        if self.heard.expunged or (compare and not self.resyncs):
            self.heard.expunged = False
            gone.update(set(uids) - await self._there(uids))
        return Meanwhile(selecting.left(seen, gone), tuple(sorted(gone)))

    async def _there(self, uids: Sequence[int]) -> set[int]:
        """Which of these mails there are."""
        found: set[int] = set()
        for some in selecting.pieces(uids, at_once=selecting.SEARCHED_AT_ONCE):
            found.update(await self._searched(f"UID SEARCH UID {replies.uids_of(list(some))}"))
        return found

    async def sightings(
        self, uids: Sequence[int], message_id_of: Callable[[bytes], str]
    ) -> AsyncIterator[list[Sighting]]:
        """These mails, as far as they are there, some at a time; `message_id_of` reads the field out of a header."""
        items = f"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]<0.{HEAD_BYTES}>)"
        for some in _pieces(uids):
            found: dict[int, Sighting] = {}
            for mail in await self._fetch(some, items):
                if mail.uid is None or mail.uid not in some:
                    continue
                if mail.seen is not None and mail.text is not None:
                    found[mail.uid] = Sighting(
                        uid=mail.uid,
                        seen=mail.seen,
                        message_id=message_id_of(mail.text),
                        size=mail.size or 0,
                        arrived_ms=mail.arrived_ms or 0,
                    )
            yield [found[uid] for uid in sorted(found)]

    async def _fetch(self, uids: Sequence[int], items: str) -> list[FetchItems]:
        command = f"UID FETCH {replies.uids_of(list(uids))} {items}"
        responses = await self._dialogue.command(command, expected=len(uids))
        asked = set(uids)
        found = []
        for response in responses:
            mail = replies.fetched(response) if replies.kind(response) == "FETCH" else None
            if mail is not None:
                found.append(mail)
            if mail is None or mail.uid not in asked:
                self.heard.hear(response)
        return found

    def _note(self, responses: Sequence[Response]) -> None:
        for response in responses:
            self.heard.hear(response)

    async def mark(self, uids: Sequence[int], *, seen: bool) -> None:
        r"""Have mails be \Seen, or not; those that are gone are no error."""
        sign = "+" if seen else "-"
        for some in _pieces(uids):
            command = rf"UID STORE {replies.uids_of(list(some))} {sign}FLAGS.SILENT (\Seen)"
            responses = await self._dialogue.command(command, expected=len(some))
            for response in responses:
                if _is_count(response):
                    self.heard.count(response)
                else:
                    self.heard.hear(response)

    async def pieces(self, uid: int, *, most: int) -> AsyncIterator[bytes]:
        r"""All of a mail, in pieces; it is not made \Seen. Raises ImapLimitError for more bytes than `most`."""
        offset = 0
        while True:
            found = await self._fetch([uid], f"(UID BODY.PEEK[]<{offset}.{PIECE_BYTES}>)")
            piece = next((mail.text for mail in found if mail.uid == uid and mail.text is not None), b"")
            if piece:
                yield piece
            offset += len(piece)
            if offset > most:
                raise ImapLimitError(f"the mail has more than {most} bytes")
            if len(piece) < PIECE_BYTES:
                return

    async def noop(self) -> None:
        """Ask whether there is news."""
        self._note(await self._dialogue.command("NOOP"))

    async def idle(self, *, within_s: float, nudged: asyncio.Event) -> None:
        """Wait until the server has news, `nudged` is set, or so much time has passed (RFC 2177)."""
        tag = await self._dialogue.begin("IDLE")
        await self._until_idle(tag)
        waiting = asyncio.create_task(nudged.wait())
        deadline = asyncio.get_running_loop().time() + within_s
        try:
            while not self.heard.news:
                left = deadline - asyncio.get_running_loop().time()
                response = await self._first(waiting, within_s=left)
                if response is None:
                    break
                self.heard.hear(response)
                _still_with_us(response)
                if self.heard.news:
                    with suppress(TimeoutError):
                        await self._drain()
        finally:
            waiting.cancel()
        await self._dialogue.send("DONE")
        self._note((await self._dialogue.finished(tag))[0])

    async def _until_idle(self, tag: str) -> None:
        """Nothing may be said before the server says that it listens."""
        while not (response := await self._dialogue.next()).texts[0].startswith(b"+"):
            self._note([response])
            status = replies.status(response)
            if status is not None and status.tag == tag:
                raise ImapNoError(status.text, code=status.code[0] if status.code else "")
            _still_with_us(response)

    async def _first(self, nudge: asyncio.Task[bool], *, within_s: float) -> Response | None:
        """The next response; None when there is something else to do."""
        if nudge.done() or within_s <= 0:
            return None
        reading = asyncio.create_task(self._dialogue.following())
        try:
            await asyncio.wait({reading, nudge}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            if not reading.done():
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def _drain(self) -> None:
        """Take what the server says in the same breath."""
        async with asyncio.timeout(BREATH_S):
            for _ in range(AT_ONCE):
                response = await self._dialogue.following()
                self.heard.hear(response)
                _still_with_us(response)

    async def log_out(self) -> None:
        """Say goodbye, which is polite and no more."""
        with suppress(ImapError):
            await self._dialogue.command("LOGOUT")
        self.close()


def _pieces(uids: Sequence[int]) -> list[Sequence[int]]:
    return [uids[start : start + AT_ONCE] for start in range(0, len(uids), AT_ONCE)]


def _answers(response: Response, asked: set[int]) -> bool:
    """Whether it is part of the answer to what changed, and no more than that."""
    if replies.kind(response) == "FETCH":
        return replies.fetched(response).uid in asked
    return replies.kind(response) == "VANISHED" and b"(EARLIER)" in response.texts[0].upper().split()


def _is_count(response: Response) -> bool:
    """Whether it says of a mail only how often it was changed, as servers do behind a STORE (RFC 7162 §3.1.3)."""
    return replies.kind(response) == "FETCH" and replies.fetched(response).flags is None


def _still_with_us(response: Response) -> None:
    status = replies.status(response)
    if status is not None and status.condition == "BYE":
        raise ImapLostError(f"the server ended the connection: {status.text}")

"""Postbell on a microcontroller: one file for MicroPython, with its own `socket` and `ssl` and no other library.

The contract is docs/protocol.md: MQTT 3.1.1 with a persistent session, three filters once and two at each
return, headers in MessagePack by position, the box digest as the judge of what is live. Whatever is
delivered twice, late or not at all, a mail is shown once. What a PUBLISH said is shown, then on record in
flash, then acknowledged: a power cut loses nothing, and shows at most again what it interrupted.

Everything has a bound: packets (`packet_bytes`), ids that are remembered (7 bytes each, set aside at the
start), headers that are kept for the screen, the state file. Nothing above `Client` knows sockets or the
clock: it runs under CPython, too; times are milliseconds of any clock that never goes back, unless a name
ends in `_s`.
"""

# mypy: disable-error-code="attr-defined,import-not-found,no-any-return"
# (MicroPython's own modules and names are not known to it, nor what its `const` returns.)

import gc
import os
import select
import socket
import ssl
import struct
import time
from array import array
from binascii import crc32
from random import random

try:
    from micropython import const
except ImportError:  # CPython, for the tests of what is pure

    def const(value: int) -> int:
        """MicroPython writes such a number into the bytecode."""
        return value


TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, NoReturn

    Digest = tuple[int, int, str]
    Header = tuple[int, str, str, str, str, int, str, int | None]
    Reply = tuple[int, int, int, int, bytes | str]


SILENT = const(2048)
"""The flag of a mail that is shown without a sound; docs/protocol.md has the others."""
_STATE_BYTES = const(8192)


class ContractError(ValueError):
    """A payload that this client does not read: `malformed`, or of another `version` of the contract."""


class RefusedError(Exception):
    """The broker refuses the login, or the device's own topics: trying again is of no use."""


class StorageError(Exception):
    """The state file cannot be written. What it was about is not acknowledged, so nothing is lost."""


def malformed() -> "NoReturn":
    """No version of the contract could have written it."""
    raise ContractError("malformed")


# --- ids and topics -------------------------------------------------------------------------------

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH_S = const(1735689600)


def id_halves(mail_id: str) -> tuple[int, int]:
    """An id as its upper 15 and lower 30 bits, which are small integers on 32-bit machines."""
    if len(mail_id) != 9:
        malformed()
    high = low = 0
    for letter in mail_id:
        digit = _DIGITS.find(letter)
        if digit < 0:
            malformed()
        high = (high << 5 | low >> 25) & 0x7FFF
        low = (low << 5 | digit) & 0x3FFFFFFF
    return high, low


def id_text(high: int, low: int) -> str:
    """The id of `id_halves`."""
    text = ""
    for number, digits in ((high, 3), (low, 6)):
        for place in range(digits - 1, -1, -1):
            text += _DIGITS[number >> 5 * place & 31]
    return text


def received_ms(mail_id: str) -> int:
    """When the mail was accepted, in milliseconds since 1970 (MicroPython's own epoch may be 2000)."""
    high, low = id_halves(mail_id)
    return _EPOCH_S * 1000 + (high << 30) + low


def valid_name(name: str) -> bool:
    """Whether a user or a device may be called so."""
    for letter in name:
        if letter not in "abcdefghijklmnopqrstuvwxyz0123456789_-":
            return False
    return 0 < len(name) <= 32 and name[0] not in "-_"


def parse_topic(root: str, topic: str) -> tuple[str, str, str]:
    """A topic's user, kind (`msg`, `box`, `re`, …) and the id or device behind it, which may be empty."""
    parts = topic[len(root) + 1 :].split("/")
    if len(parts) == 2:
        parts.append("")
    if len(parts) == 3 and topic.startswith(root + "/") and valid_name(parts[0]):
        user, what, leaf = parts
        if what == "msg":
            id_halves(leaf)
            return user, what, leaf
        if valid_name(leaf) if what in ("do", "re") else topic.endswith("/" + what):
            if what in ("do", "re", "box", "last", "text", "unread", "event"):
                return user, what, leaf
    return malformed()


# --- MessagePack ----------------------------------------------------------------------------------

_ARRAY = ()
_NUMBERS = "BHIQbhiq"
_CONTAINERS = const(512)
"""How many arrays and maps one element may hold, nested or side by side."""


def _item(data: bytes, at: int) -> "tuple[Any, int, int]":
    """One item at `at`: its value, where the next begins, how many items it holds.

    Text is a `memoryview`, which is decoded only if it is wanted; of an array the value is `_ARRAY`;
    of what the contract does not use it is a float.
    """
    if at >= len(data):
        malformed()
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at, 0
    if first >= 0xE0:
        return first - 256, at, 0
    if first < 0x90:
        return 0.0, at, (first & 15) * 2
    if first < 0xA0:
        return _ARRAY, at, first & 15
    if 0xC0 <= first < 0xC4:
        if first == 0xC1:
            malformed()
        return (None, None, False, True)[first & 3], at, 0
    length, kind = first & 31, 0xD9
    if first >= 0xC0:
        # `kind`: bin, ext, float, number, fixext, str, array, map; `length` bytes, or a length of so many
        for kind in (0xDE, 0xDC, 0xD9, 0xD4, 0xCC, 0xCA, 0xC7, 0xC4):
            if first >= kind:
                break
        length = 1 << (first - kind & 3)
        if kind >= 0xDC:
            length *= 2
        if kind == 0xCA:
            length *= 4
        elif kind == 0xD4:
            length = (1 << first - kind) + 1
        elif kind != 0xCC:
            size = 0
            for each in data[at : at + length]:
                size = size << 8 | each
            at += length
            length = size
    if kind >= 0xDC:
        return (_ARRAY if kind == 0xDC else 0.0), at, length * (kind - 0xDB if kind == 0xDC else 2)
    end = at + length + (kind == 0xC7)
    if end > len(data):
        malformed()
    if kind == 0xD9:
        return memoryview(data)[at:end], end, 0
    if kind == 0xCC:
        return struct.unpack(">" + _NUMBERS[first - kind], data[at:end])[0], end, 0
    return (data[at:end] if kind == 0xC4 else 0.0), end, 0


def unpack(data: bytes, known: int) -> "list[Any]":
    """The first `known` elements of the array that is the whole of `data`, the others passed over.

    Text comes as a `memoryview` (see `line`), an array as a tuple of its own bytes.
    """
    value, at, count = _item(data, 0)
    if value is not _ARRAY:
        malformed()
    values: list[Any] = []
    while count:
        count -= 1
        start = at
        value, at, inside = _item(data, at)
        containers = 0
        while inside:
            _, at, more = _item(data, at)
            inside += more - 1
            containers += more > 0
            if containers > _CONTAINERS:
                malformed()
        if len(values) < known:
            values.append((data[start:at],) if value is _ARRAY else value)
    if at != len(data):
        malformed()
    return values


def integer(value: "Any", lowest: int = 0) -> int:
    """The value, if it is an integer of at least `lowest`."""
    if type(value) is not int or value < lowest:
        malformed()
    return value


def line(value: "Any") -> str:
    """Text on one line: valid UTF-8, with each control character and line break replaced by a space."""
    if type(value) is not memoryview:
        malformed()
    raw = bytes(value)
    at, size, dirty = 0, len(raw), False
    while at < size:
        first = raw[at]
        at += 1
        if first < 0x80:
            dirty = dirty or first < 0x20 or first == 0x7F
            continue
        end = at + (1 if first < 0xE0 else 2 if first < 0xF0 else 3)
        if not 0xC2 <= first < 0xF5 or end > size:
            malformed()
        second = raw[at]
        if second < {0xE0: 0xA0, 0xF0: 0x90}.get(first, 0x80) or second > {0xED: 0x9F, 0xF4: 0x8F}.get(first, 0xBF):
            malformed()
        dirty = dirty or first == 0xC2 or (first == 0xE2 and second == 0x80)
        for each in raw[at + 1 : end]:
            if each & 0xC0 != 0x80:
                malformed()
        at = end
    text = str(raw, "utf-8")
    if dirty:
        text = "".join(
            [" " if each < " " or "\x7f" <= each < "\xa0" or each in "\u2028\u2029" else each for each in text]
        )
    return text


# --- what the bridge writes, and reads ------------------------------------------------------------


def _values(payload: bytes, known: int) -> "list[Any]":
    if len(payload) > _STATE_BYTES:
        malformed()
    values = unpack(payload, known)
    if not values:
        malformed()
    if type(values[0]) is not int or values[0] != 1:
        raise ContractError("version")
    return values


def decode_header(payload: bytes) -> "Header":
    """Flags, sender's name and address, subject, snippet, size, detail, date in seconds since 1970 or None.

    Defaults are filled in, elements of the future ignored.
    """
    values = _values(payload, 9)
    empty = memoryview(b"")
    _, flags, name, address, subject, snippet, size, detail, date = (
        values + [1, 0, empty, empty, empty, empty, 0, empty, None][len(values) :]
    )
    if date is not None and not -62135596800 <= integer(date, -1 << 63) < 253402300800:
        date = None  # no calendar has it
    return (
        integer(flags),
        line(name),
        line(address),
        line(subject),
        line(snippet),
        integer(size),
        line(detail),
        date,
    )


def decode_digest(payload: bytes) -> "Digest":
    """The box digest: how many ids are live, the XOR of their CRC-32, the newest."""
    values = _values(payload, 4)
    if len(values) == 1:
        return 0, 0, ""
    if len(values) < 4 or integer(values[2]) >> 32:
        malformed()
    if not integer(values[1]):
        return 0, 0, ""
    newest = line(values[3])
    id_halves(newest)
    return values[1], values[2], newest


def decode_reply(payload: bytes) -> "Reply":
    """A reply: request id, status, offset, total, and the chunk (status 0) or a line of text."""
    values = _values(payload, 6)
    if len(values) < 6:
        malformed()
    for value in values[:5]:
        integer(value)
    _, request_id, status, offset, total, content = values
    if status:
        content = line(content)
    elif type(content) is not bytes or offset + len(content) > total:
        malformed()
    return request_id, status, offset, total, content


def encode_request(request_id: int, operation: str, *arguments: "str | int") -> bytes:
    """A request; `request_id` is below 2^32."""
    values = (1, request_id, operation) + arguments
    count = len(values)
    packed = bytes([0x90 | count]) if count < 16 else struct.pack(">BH", 0xDC, count)
    for value in values:
        if isinstance(value, str):
            raw = value.encode()
            size = len(raw)
            head = bytes([0xA0 | size]) if size < 32 else b"\xd9" + bytes([size]) if size < 256 else b""
            packed += (head or struct.pack(">BH", 0xDA, size)) + raw
        elif value < 0x80:
            packed += bytes([value])
        else:
            kind = (value > 0xFF) + (value > 0xFFFF) + (value > 0xFFFFFFFF)
            packed += struct.pack(">B" + _NUMBERS[kind], 0xCC + kind, value)
    return packed


# --- what is remembered ---------------------------------------------------------------------------

LIVE = const(1)
SHOWN = const(2)
WANTED = const(4)
"""To be marked as seen: the bridge was asked, or has to be, and has not confirmed it."""
_KEPT = const(7)
_KNOWN = const(8)
_HEARD = const(16)
_RECENT = const(32)


class Memory:
    """Which ids are live and which are gone, which were shown: a table of fixed size, 7 bytes an id.

    At most `most` ids are live. Of those that are gone at least about `gone` are remembered: the hand of a
    clock forgets one that did not vanish since it came by last.
    """

    def __init__(self, most: int, gone: int) -> None:
        self.most, size = most, most + gone
        self._high = array("H", bytes(2 * size))
        self._low = array("I", bytes(4 * size))
        self._marks = bytearray(size)
        self._hand = 0
        self.count, self.check = {LIVE: 0, _HEARD: 0}, {LIVE: 0, _HEARD: 0}

    def get(self, mail_id: str) -> int:
        """The marks of an id; 0 if it was never heard of."""
        slot = self._find(mail_id)
        return self._marks[slot] if slot >= 0 else 0

    def change(self, mail_id: str, on: int, off: int = 0) -> int:
        """Set and clear marks; what they are then."""
        slot = self._find(mail_id)
        if slot < 0:
            while True:
                slot = self._hand
                self._hand = (slot + 1) % len(self._marks)
                if not self._marks[slot] & (LIVE | _RECENT):
                    break
                self._marks[slot] &= 255 - _RECENT
            if self._marks[slot] & _HEARD:
                self.change(id_text(self._high[slot], self._low[slot]), 0, _HEARD)
            self._high[slot], self._low[slot] = id_halves(mail_id)
            self._marks[slot] = 0
        before = self._marks[slot]
        marks = self._marks[slot] = before & ~off | on | _KNOWN
        for each in (LIVE, _HEARD):
            if (before ^ marks) & each:
                self.count[each] += 1 if marks & each else -1
                self.check[each] ^= crc32(mail_id.encode())
        return marks

    def ids(self, mask: int, without: int = 0) -> "Iterator[str]":
        """The ids that have these marks and not those, in no order."""
        for slot, marks in enumerate(self._marks):
            if marks & (mask | without) == mask and marks:
                yield id_text(self._high[slot], self._low[slot])

    def newest(self, count: int) -> list[str]:
        """The newest live ids, newest first."""
        best: list[str] = []
        for mail_id in self.ids(LIVE):
            if len(best) < count or mail_id > best[-1]:
                best.append(mail_id)
                best.sort(reverse=True)
                best = best[:count]
        return best

    def matches(self, digest: "Digest", mark: int = LIVE, also: "Iterable[str]" = ()) -> bool:
        """Whether a digest is that of the ids with this mark and of others."""
        count, check, last = self.count[mark], self.check[mark], "000000000"
        for mail_id in also:
            count += 1
            check ^= crc32(mail_id.encode())
            last = max(last, mail_id)
        if count != digest[0] or check != digest[1]:
            return False
        high, low = id_halves(last)
        for slot, marks in enumerate(self._marks):
            if marks & mark and self._high[slot] >= high and (self._high[slot] > high or self._low[slot] > low):
                high, low = self._high[slot], self._low[slot]
        return not count or id_text(high, low) == digest[2]

    def _find(self, mail_id: str) -> int:
        high, low = id_halves(mail_id)
        for slot, each in enumerate(self._low):
            if each == low and self._high[slot] == high and self._marks[slot]:
                return slot
        return -1


_MARKS = const(1)
_SUBSCRIBED = const(2)
_NETWORK = const(3)
_NETWORKS = const(4)


class Journal:
    """The state file: records are appended, many at a time, and never changed; rewritten when it has grown.

    Kind to flash: nothing is erased in place, one `flush` covers all that came together, and the file
    system spreads what is written. The headers of the `keep` newest live mails stay in it, for the screen.
    It has at most `limit` bytes, or twice what there is to remember, and what one batch adds.
    """

    def __init__(self, path: str, memory: Memory, keep: int, limit: int = 32768) -> None:
        self._path, self._memory, self._keep, self._limit = path, memory, keep, limit
        self.subscription = b""
        """What the broker has confirmed; empty when nothing is."""
        self.networks: dict[str, tuple[int, int, int]] = {}
        """The keepalive's memory of each network: low, high, and when it was found."""
        self._file: Any = None
        self._size = 0
        self._dirty = False
        whole = False
        for name in (path, path + ".new"):  # the latter if the power went while the file was replaced
            try:
                with open(name, "rb") as file:
                    kind, body = self._record(file)
                    while kind:
                        self._take(kind, body)
                        kind, body = self._record(file)
                    whole = not body and name == path
                break
            except OSError:
                pass
        if whole:
            self._open()
        else:
            self.compact()

    def mark(self, mail_id: str, on: int, off: int = 0, payload: bytes = b"") -> None:
        """Change the marks of an id, and record them, with the header of a mail that is shown now."""
        marks = self._memory.change(mail_id, on, off)
        high, low = id_halves(mail_id)
        self.add(_MARKS, struct.pack(">HIB", high, low, marks & _KEPT) + payload)

    def add(self, kind: int, body: bytes) -> None:
        """Append a record, and take in what it says unless that is of an id."""
        if kind != _MARKS:
            self._take(kind, body)
        head = struct.pack(">BH", kind, len(body))
        record = head + body + struct.pack(">H", crc32(body, crc32(head)) & 0xFFFF)
        try:
            self._file.write(record)
        except OSError as error:
            raise StorageError(error)
        self._size += len(record)
        self._dirty = True

    def flush(self) -> None:
        """When this returns all that was appended survives a power cut."""
        if self._dirty:
            try:
                self._file.flush()
                self._dirty = False
                if self._size >= self._limit:
                    self.compact()
            except OSError as error:
                raise StorageError(error)

    def headers(self, count: int) -> "Iterator[tuple[str, Header | None]]":
        """The newest live mails, newest first, with those headers that were kept and can be read."""
        wanted = self._memory.newest(count)
        kept = self._kept(wanted)
        for mail_id in wanted:
            try:
                yield mail_id, decode_header(self._payload(kept.get(mail_id, -1)))
            except ContractError:
                yield mail_id, None

    def compact(self) -> None:
        """Write the file anew: what is gone first, then what is live, the headers of the newest last."""
        gc.collect()
        fresh = self._path + ".new"
        kept = self._kept(self._memory.newest(self._keep))
        if self._file:
            self._file.close()
        self._file = open(fresh, "wb")
        self.add(_SUBSCRIBED, self.subscription)
        for name in list(self.networks):
            self.network(name, self.networks[name])
        for live in (0, LIVE):
            for mail_id in self._memory.ids(_KNOWN | live, LIVE - live):
                if mail_id not in kept:
                    self.mark(mail_id, 0)
        for mail_id in kept:
            self.mark(mail_id, 0, 0, self._payload(kept[mail_id]))
        self._file.close()
        try:
            os.rename(fresh, self._path)
        except OSError:  # FAT does not rename onto a file that is there
            os.remove(self._path)
            os.rename(fresh, self._path)
        self._open()
        self._limit = max(self._limit, 2 * self._size)

    def network(self, name: str, found: tuple[int, int, int]) -> None:
        """Record what the keepalive found on a network."""
        self.add(_NETWORK, struct.pack(">HHI", *found) + name.encode())

    # --- below ------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._file = open(self._path, "ab")
        self._size = os.stat(self._path)[6]
        self._dirty = False

    def _record(self, file: "Any") -> tuple[int, bytes]:
        """The next record; kind 0 at the end, and if the file is damaged there, what was read of it."""
        head = file.read(3)
        if len(head) == 3:
            kind, size = struct.unpack(">BH", head)
            body = file.read(size) if size < _STATE_BYTES else b""
            if file.read(2) == struct.pack(">H", crc32(body, crc32(head)) & 0xFFFF):
                return kind, body
        return 0, head

    def _take(self, kind: int, body: bytes) -> None:
        if kind == _MARKS:
            high, low, marks = struct.unpack(">HIB", body[:7])
            if not marks & LIVE or self._memory.count[LIVE] < self._memory.most:
                self._memory.change(id_text(high, low), marks & _KEPT, _KEPT)
        elif kind == _SUBSCRIBED:
            self.subscription = body
        elif kind == _NETWORK:
            name = str(body[8:], "utf-8")
            self.networks.pop(name, None)
            while len(self.networks) >= _NETWORKS:
                del self.networks[min(self.networks, key=lambda each: self.networks[each][2])]
            self.networks[name] = struct.unpack(">HHI", body[:8])

    def _kept(self, wanted: list[str]) -> dict[str, int]:
        """Where in the file the headers of these mails are."""
        kept: dict[str, int] = {}
        if self._file and wanted:
            self._file.flush()
            with open(self._path, "rb") as file:
                kind, body = self._record(file)
                while kind:
                    if kind == _MARKS and len(body) > 7:
                        mail_id = id_text(*struct.unpack(">HI", body[:6]))
                        if mail_id in wanted:
                            kept[mail_id] = file.tell() - len(body) - 5
                    kind, body = self._record(file)
        return kept

    def _payload(self, at: int) -> bytes:
        if at < 0:
            return b""
        with open(self._path, "rb") as file:
            file.seek(at)
            return self._record(file)[1][7:]


# --- the box --------------------------------------------------------------------------------------

GRACE_MS = const(4000)
"""How long the box may disagree with its digest after the last change before it is healed."""
BUSY_GRACE_MS = const(60000)
LONGEST_WAIT_MS = const(3600000)
_DOUBTFUL = const(8)


class Box:
    """The box as docs/protocol.md has it kept ("Keeping the box").

    `show(mail_id, header)` puts a mail on the screen that never was there, and is recorded when it returns;
    `vanish(mail_id, shown)` says that one left the box; `say` gets a line for a person.
    """

    def __init__(
        self,
        memory: Memory,
        journal: Journal,
        show: "Callable[[str, Header], object]",
        vanish: "Callable[[str, bool], object]",
        say: "Callable[[str], object]",
        now: int,
    ) -> None:
        self._memory, self._journal = memory, journal
        self._show, self._vanish, self._say = show, vanish, say
        self.digest: Digest | None = None
        self._doubtful: dict[str, bytes | None] = {}
        self._healing = self._digest_heard = False
        self._quiet = self._astray = now
        self._healings = 0

    def agrees(self, digest: "Digest | None") -> bool:
        """Whether the box is what a digest says; of one with more mails than fit, whether it is full."""
        if digest is None:
            return False
        if digest[0] > self._memory.most:
            return self._memory.count[LIVE] == self._memory.most
        return self._memory.matches(digest)

    def header(self, mail_id: str, payload: "bytes | None", retained: "bool | int", now: int) -> None:
        """A payload of `msg/<id>`, None if it was too long to be read; `retained` is the delivery's flag."""
        self._quiet = now
        marks = self._memory.get(mail_id)
        if payload == b"":
            self._doubtful.pop(mail_id, None)
            self._memory.change(mail_id, LIVE & marks, _HEARD)
            if not marks or marks & LIVE:
                self._went(mail_id)
        else:
            if marks and not marks & LIVE and not retained:
                if len(self._doubtful) < _DOUBTFUL:
                    self._doubtful[mail_id] = payload
            else:
                self._doubtful.pop(mail_id, None)
                self._came(mail_id, payload)
            if self._healing:
                self._memory.change(mail_id, _HEARD)
        self._compare(now)

    def heard(self, payload: bytes, now: int) -> None:
        """A payload of `box`; an empty one says nothing."""
        if payload:
            self.digest = decode_digest(payload)
            self._quiet = now
            self._digest_heard = True
            self._compare(now)
            if self.agrees(self.digest):
                self._doubtful.clear()

    def deadline(self) -> "int | None":
        """When `check` has something to do, if nothing arrives until then."""
        if self.agrees(self.digest):
            return self._quiet + GRACE_MS if self._doubtful else None
        if self.digest is None and not self._memory.count[LIVE]:
            return None
        wait = min(GRACE_MS << min(self._healings, 10), LONGEST_WAIT_MS)
        return min(self._quiet + wait, self._astray + max(wait, BUSY_GRACE_MS))

    def check(self, now: int) -> bool:
        """Whether all three filters have to be subscribed to again, because the box went astray."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return False
        if self.agrees(self.digest):
            self._doubtful.clear()
            return False
        self._healings += 1
        return True

    def subscribed(self, now: int) -> None:
        """All three filters are being subscribed to: what is retained will be told anew."""
        self._healing = True
        self._digest_heard = False
        self._forget_heard()
        self.resumed(now)

    def resumed(self, now: int) -> None:
        """The connection is back: what is missing may be on its way."""
        self._quiet = self._astray = now

    # --- below ------------------------------------------------------------------------------------

    def _came(self, mail_id: str, payload: "bytes | None") -> None:
        memory = self._memory
        marks = memory.get(mail_id)
        if not marks & LIVE and memory.count[LIVE] >= memory.most:
            oldest = min(memory.ids(LIVE))
            if mail_id < oldest:
                return
            self._journal.mark(oldest, _RECENT, LIVE | WANTED)
        if not marks & SHOWN and payload:
            try:
                header = decode_header(payload)
            except ContractError as error:
                self._say("skipped: " + str(error))
            else:
                self._show(mail_id, header)
                self._journal.mark(mail_id, LIVE | SHOWN, 0, payload)
                return
        if not marks & LIVE:
            self._journal.mark(mail_id, LIVE, 0, payload or b"")

    def _went(self, mail_id: str) -> None:
        shown = self._memory.get(mail_id) & SHOWN
        self._journal.mark(mail_id, _RECENT, LIVE | WANTED)
        self._vanish(mail_id, bool(shown))

    def _compare(self, now: int) -> None:
        """With the digest: counting the doubtful in, and while healing without leftovers."""
        memory, digest = self._memory, self.digest
        if digest is not None and not self.agrees(digest):
            back = self._doubtful and memory.matches(digest, LIVE, self._doubtful)
            adopt = not back and self._healing and self._digest_heard and memory.matches(digest, _HEARD)
            for mail_id in sorted(self._doubtful):
                if back or (adopt and memory.get(mail_id) & _HEARD):
                    self._came(mail_id, self._doubtful.pop(mail_id))
            if adopt:
                for mail_id in memory.ids(LIVE, _HEARD):
                    self._went(mail_id)
        if self.agrees(digest):
            if self._healing:
                self._healing = False
                self._forget_heard()
            self._healings = 0
            self._astray = now

    def _forget_heard(self) -> None:
        for mail_id in self._memory.ids(_HEARD):
            self._memory.change(mail_id, 0, _HEARD)


# --- the keepalive --------------------------------------------------------------------------------

_CEILING_S = const(1800)
_LONGEST_S = const(1740)
_START_S = const(240)
_SHORTEST_S = const(30)
_LOOK_AGAIN_S = const(604800)
_ANSWER_MS = const(20000)


class Keepalive:
    """When to ping, and when a connection is dead: the longest interval that a network survives, by search. Pure.

    CONNECT declares the ceiling of half an hour and pings come earlier, so the interval changes within a
    connection. `low_s` is the longest idle time that was survived, by a ping or until mail came; `high_s` the
    shortest that was not (0: none known). From 4 minutes by half as much again up to 29, then the middle,
    until within 10 % or 30 s. A death at or below `low_s` halves it: the network has changed. After a week
    `high_s` itself is tried once more. `now` is in milliseconds, `now_s` is wall-clock time, of which
    only differences count.
    """

    def __init__(self, low_s: int = 0, high_s: int = 0, found_s: int = 0) -> None:
        self.low_s, self.high_s, self.found_s = low_s, high_s, found_s
        self._halved = False
        self.connected(0)

    def interval_s(self, now_s: int) -> int:
        """After so long without any traffic send a ping."""
        low, high = self.low_s, self.high_s
        if not high:
            return min(low * 3 // 2, _LONGEST_S) if low else _START_S
        if self._halved:
            return low
        if high - low > max(30, low // 10):
            return max((low + high) // 2, _SHORTEST_S)
        if now_s < self.found_s:
            self.found_s = now_s  # the clock was set back, or lost its battery
        if now_s - self.found_s >= _LOOK_AGAIN_S:
            return min(high, _LONGEST_S)
        return max(low, _SHORTEST_S)

    def survived(self, idle_s: int) -> None:
        """Something came after so long without traffic: the answer to a ping, or mail."""
        if idle_s >= self.low_s:
            self._halved = False
            self.low_s = min(idle_s, _CEILING_S)
            if self.high_s <= idle_s:
                self.high_s = 0

    def died(self, idle_s: int, now_s: int) -> None:
        """A ping after so long without traffic was never answered."""
        if idle_s <= self.low_s:
            self.low_s = max(idle_s // 2, _SHORTEST_S)
            self._halved = True
        self.high_s = min(self.high_s or idle_s, max(idle_s, _SHORTEST_S))
        self.found_s = now_s

    # --- one connection ---------------------------------------------------------------------------

    def connected(self, now: int) -> None:
        """A new connection: nothing is waited for."""
        self.traffic = now
        """When something was sent or heard last."""
        self.suspect_s = -1
        """The idle time before the ping that waits for its answer; -1 if none does."""
        self._answer_by = 0

    def sent(self, now: int, ping: bool = False) -> None:
        """A packet was sent. A ping never moves the deadline of the one before it."""
        if ping and self.suspect_s < 0:
            self.suspect_s = (now - self.traffic) // 1000
            self._answer_by = now + _ANSWER_MS
        self.traffic = now

    def heard(self, now: int, pong: bool) -> None:
        """A packet came."""
        if self.suspect_s < 0:
            self.survived((now - self.traffic) // 1000)
        elif pong:
            self.survived(self.suspect_s)
            self.suspect_s = -1
        else:
            self._answer_by = now + _ANSWER_MS
        self.traffic = now

    def due_ms(self, now: int, now_s: int) -> int:
        """How long there is nothing to do: then a ping is due or, if one waits, the connection dead."""
        if self.suspect_s >= 0:
            return max(0, self._answer_by - now)
        return max(0, self.traffic + self.interval_s(now_s) * 1000 - now)


# --- MQTT -----------------------------------------------------------------------------------------

_CONNECT_MS = const(10000)
_STABLE_MS = const(20000)
_REPLY_MS = const(10000)
_LONGEST_MS = const(30000)
_REFUSALS = const(5)
_BATCH = const(16)
_SEEN = const(20)


def tls(ca: bytes) -> "ssl.SSLContext":
    """A context that trusts one certificate authority, given as DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca)
    return context


def _string(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


class Client:
    """One device of one user. Call `step` for ever, or `fetch` and `close` when awake for a moment.

    `show(mail_id, header)` and `vanish(mail_id, shown)` are the screen (see `Box`); `reply` gets what
    `decode_reply` returns, for requests of `ask`; `say` gets lines for a person. `network` names the
    network that the device is in, for the keepalive. None of the four may call `step`.
    `most`, `gone` and `keep` are the bounds of Memory and Journal; `random` gives numbers below 1.
    """

    def __init__(
        self,
        host: str,
        user: str,
        device: str,
        password: str,
        port: int = 0,
        context: "ssl.SSLContext | None" = None,
        root: str = "mail",
        path: str = "postbell.state",
        network: str = "",
        show: "Callable[[str, Header], object]" = print,
        vanish: "Callable[[str, bool], object]" = print,
        reply: "Callable[..., object]" = print,
        say: "Callable[[str], object]" = print,
        most: int = 128,
        gone: int = 256,
        keep: int = 8,
        packet_bytes: int = 768,
        random: "Callable[[], float]" = random,
    ) -> None:
        if not (valid_name(user) and valid_name(device)):
            malformed()
        gc.collect()
        self._buffer = bytearray(packet_bytes)
        self.memory = Memory(most, gone)
        self.journal = Journal(path, self.memory, keep)
        self.box = Box(self.memory, self.journal, show, vanish, self._say, 0)
        self.keepalive = Keepalive(*self.journal.networks.get(network, ()))
        self._host, self._port, self._context = host, port or (8883 if context else 1883), context
        self._root, self._device, self._base = root, device, root + "/" + user + "/"
        login = user + "." + device
        self._login = (
            struct.pack(">HIBBH", 4, 0x4D515454, 4, 0xC0, _CEILING_S)
            + _string(user + ":" + device)  # NATS refuses a dot in a client id
            + _string(login)
            + _string(password)
        )
        self._wanted = (host + ":" + str(self._port) + " " + login + " " + root).encode()
        self._network, self._reply, self._notice, self._random = network, reply, say, random
        self._poll = select.poll()
        self._socket: Any = None
        self.up = False
        """Whether the broker has accepted the connection."""
        self._since = self._now = 0
        self._ticks = time.ticks_ms()
        self._tries = self._refusals = 0
        self._suspect_s = -1
        self._fresh: Digest | None = None
        self._packet_id = self._subscribe_id = 0
        self._length, self._have, self._rest, self._body = -1, 0, 0, 0
        self._acks = bytearray()
        self._asking, self._seen_due, self._seen_tries, self._seen_id = True, 0, 0, -1
        self._asked: list[str] = []
        self._request_id = int(random() * 0x3FFFFFFF)
        self._said: list[str] = []
        self.counts = [0, 0, 0]
        """Connections that the broker accepted, packets that came, bytes of them."""
        gc.collect()

    def clock(self) -> int:
        """Milliseconds since the start, out of `ticks_ms`, which wraps after 12 days."""
        ticks = time.ticks_ms()
        self._now += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now

    # --- for the owner ----------------------------------------------------------------------------

    def step(self, wait_ms: int = 60000) -> None:
        """Do what is to be done, and wait for the broker for at most so long.

        Connecting blocks for up to 10 seconds. Raises RefusedError and StorageError.
        """
        try:
            now = self.clock()
            if self._socket is None:
                if now < self._since:
                    time.sleep_ms(min(self._since - now, wait_ms))
                    return
                self._connect()
            if self.up:
                wait_ms = min(wait_ms, self.keepalive.due_ms(now, int(time.time())))
                deadline = self.box.deadline()
                if deadline is not None:
                    wait_ms = min(wait_ms, deadline - now)
                if self._asking:
                    wait_ms = min(wait_ms, self._seen_due - now)
            else:
                wait_ms = min(wait_ms, _CONNECT_MS)
            if self._poll.poll(max(0, wait_ms)):
                self._receive()
            self._tend()
        except OSError as error:
            self._lost(error)
        except Exception:
            self._hang_up()
            raise

    def fetch(self, patience_ms: int = 20000) -> bool:
        """Connect, take in what is new, and tell the bridge what was seen; whether all was done in time.

        That is so when the box agrees with the digest that the broker has now, which it repeats at each
        connection, or with a later one and nothing came for a second.
        """
        end = self.clock() + patience_ms
        while True:
            packets = self.counts[1]
            left = end - self.clock()
            if left <= 0:
                return False
            self.step(min(1000, left))
            if self._fresh is not None and not self._asking:
                if self.box.agrees(self._fresh) or (packets == self.counts[1] and self.box.agrees(self.box.digest)):
                    return True

    def seen(self, *mail_ids: str) -> None:
        """Mark mails as seen: on record at once, and asked of the bridge until it confirms."""
        for mail_id in mail_ids:
            if self.memory.get(mail_id) & LIVE:
                self.journal.mark(mail_id, WANTED)
                self._asking = True
        self.journal.flush()

    def ask(self, operation: str, *arguments: "str | int") -> int:
        """Send a request; its id, which the replies carry, or -1 while there is no connection.

        Give `text`, `raw` and `part` a limit that fits in `packet_bytes` with 100 bytes to spare.
        """
        if not self.up:
            return -1
        self._request_id = self._request_id + 1 & 0xFFFFFFFF
        self._packet_id = self._packet_id % 65535 + 1
        try:
            if self.clock() - self.keepalive.traffic >= _SHORTEST_S * 1000:
                self._send(b"\xc0\x00")  # what is sent must not hide that the connection is dead
            self._send(
                b"\x32",
                _string(self._base + "do/" + self._device)
                + struct.pack(">H", self._packet_id)
                + encode_request(self._request_id, operation, *arguments),
            )
        except OSError as error:
            self._lost(error)
            return -1
        return self._request_id

    def close(self) -> None:
        """Say goodbye. The broker keeps the session, and what comes meanwhile."""
        if self.up:
            try:
                self._send(b"\xe0\x00")
            except OSError:
                pass
        self._hang_up()
        self.journal.flush()

    # --- the connection ---------------------------------------------------------------------------

    def _connect(self) -> None:
        gc.collect()
        found = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)
        where = found[self._tries % len(found)]
        self._socket = socket.socket(where[0])
        self._socket.settimeout(_CONNECT_MS // 1000)
        self._socket.connect(where[-1])
        if self._context is not None:
            try:
                self._socket = self._context.wrap_socket(self._socket, server_hostname=self._host)
            except ValueError as error:  # the certificate
                raise OSError(str(error).strip())
            gc.collect()
        self._socket.setblocking(False)
        self._poll.register(self._socket, select.POLLIN)
        self._length, self._have, self._acks = -1, 0, bytearray()
        self._send(b"\x10", self._login)
        self._since = self.clock()

    def _hang_up(self) -> None:
        self.up = False
        self._fresh = None
        if self._socket is not None:
            try:
                self._poll.unregister(self._socket)
            except (OSError, KeyError):
                pass
            self._socket.close()
            self._socket = None

    def _wait_ms(self, first: int, tries: int) -> int:
        """Waits that double, each shortened by a random part of up to half of it."""
        return int(min(_LONGEST_MS, first << min(tries, 10)) * (1 - self._random() / 2))

    def _lost(self, error: Exception) -> None:
        """The connection is lost, or did not come about: try again later."""
        now = self.clock()
        if self.up:
            self._suspect_s = self.keepalive.suspect_s
            if now - self._since >= _STABLE_MS:
                self._tries = 0
        self._say("lost: " + str(error))
        self._hang_up()
        self._since = now + self._wait_ms(250, self._tries)
        self._tries += 1
        self.journal.flush()

    def _tend(self) -> None:
        """What time brings: no CONNACK, a ping, a dead connection, a box astray, a request."""
        now = self.clock()
        if not self.up:
            if now - self._since >= _CONNECT_MS:
                raise OSError("no CONNACK")
            return
        if not self.keepalive.due_ms(now, int(time.time())):
            if self.keepalive.suspect_s >= 0:
                raise OSError("no PINGRESP")
            self._send(b"\xc0\x00")
        if self.box.check(now):
            self._say("the box disagrees with its digest")
            self.box.subscribed(now)
            self._subscribe("msg/+", "box", "re/" + self._device)
        if self._asking and now >= self._seen_due:
            asked = []
            for mail_id in self.memory.ids(LIVE | WANTED):
                asked.append(mail_id)
                if len(asked) == _SEEN:
                    break
            self._asking, self._asked = bool(asked), asked
            if asked:
                self._seen_due = now + _REPLY_MS
                self._seen_id = self.ask("seen", *asked)

    def _send(self, head: bytes, body: bytes = b"") -> None:
        """A packet, all of it, or OSError; `head` is its first byte if it has a body."""
        if body:
            length = len(body)
            head += bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
            body = head + body
        else:
            body = head
        end = self.clock() + _CONNECT_MS
        while body:
            body = body[self._socket.write(body) or 0 :]
            if body:
                if self.clock() >= end:
                    raise OSError("no room")
                time.sleep_ms(10)
        self.keepalive.sent(self.clock(), head == b"\xc0\x00")

    def _subscribe(self, *filters: str) -> int:
        self._packet_id = self._packet_id % 65535 + 1
        body = struct.pack(">H", self._packet_id)
        for each in filters:
            body += _string(self._base + each) + b"\x01"
        self._send(b"\x82", body)
        return self._packet_id

    # --- receiving --------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Up to a batch of packets: shown, recorded with one write to flash, then acknowledged."""
        try:
            for _ in range(_BATCH):
                if not self._read():
                    break
                self._take()
                self._length, self._have = -1, 0
                gc.collect()
        finally:
            self.journal.flush()
        if self._acks:
            self._send(bytes(self._acks))
            self._acks = bytearray()

    def _read(self) -> bool:
        """Read on; whether a packet is complete, its first bytes in the buffer."""
        buffer = memoryview(self._buffer)
        while self._length < 0 or self._rest:
            have = self._have
            if self._length < 0:
                end = have + (1 if have else 2)
            else:
                if have == len(buffer):  # too long: its head is kept, the rest passes by
                    have = self._have = have // 2
                end = min(len(buffer), have + self._rest)
            count = self._socket.readinto(buffer[have:end])
            if count is None:
                return False
            if not count:
                raise OSError("closed")
            self.counts[2] += count
            self._have = have = have + count
            if self._length >= 0:
                self._rest -= count
            elif have >= 2 and buffer[have - 1] < 128:
                self._length = 0
                for place in range(have - 1, 0, -1):
                    self._length = self._length << 7 | buffer[place] & 127
                self._rest, self._body = self._length, have
            elif have >= 5:
                raise OSError("not MQTT")
        self.counts[1] += 1
        return True

    def _take(self) -> None:
        """One packet."""
        buffer, at, now = self._buffer, self._body, self.clock()
        kind = buffer[0] >> 4
        if kind == 2:
            self._accept(buffer[at] & 1, buffer[at + 1], now)
            return
        if not self.up:
            raise OSError("not MQTT")
        self.keepalive.heard(now, kind == 13)
        if kind == 3:
            self._message(buffer[0], at, now)
        elif kind == 9:
            if max(buffer[at + 2 : self._have]) & 128:
                raise RefusedError("topics")
            if self._subscribe_id == buffer[at] << 8 | buffer[at + 1]:
                self.journal.add(_SUBSCRIBED, self._wanted)
        elif kind == 13:
            self._remember()

    def _accept(self, present: int, code: int, now: int) -> None:
        if code:
            self._refusals += 1
            if code in (4, 5) and (not self.counts[0] or self._refusals >= _REFUSALS):
                raise RefusedError("login")
            raise OSError("refused")
        if self._suspect_s >= 0 and self._tries == 1:  # the network is there: the connection died of idleness
            self.keepalive.died(self._suspect_s, int(time.time()))
            self._remember()
        self._suspect_s, self._refusals = -1, 0
        self.up = True
        self._since = self._seen_due = now
        self.counts[0] += 1
        self.keepalive.connected(now)
        self.box.resumed(now)
        if present and self.journal.subscription == self._wanted:
            self._subscribe("box", "re/" + self._device)
            return
        self.journal.add(_SUBSCRIBED, b"")
        self.journal.flush()  # before the broker hears of any filter: from then on its session looks whole
        self.box.subscribed(now)
        self._subscribe_id = self._subscribe("msg/+", "box", "re/" + self._device)

    def _message(self, flags: int, at: int, now: int) -> None:
        buffer, end = self._buffer, self._body + self._length
        start = at + 2 + (buffer[at] << 8 | buffer[at + 1])
        body = start + 2 if flags & 6 else start
        if body > min(end, len(buffer) // 2):
            raise OSError("not MQTT")
        self._tries = 0  # a link that carries mail is worth coming back to soon
        try:
            topic = str(buffer[at + 2 : start], "utf-8")
            _, what, leaf = parse_topic(self._root, topic)
            payload = bytes(buffer[body:end]) if end <= len(buffer) else None
            if not topic.startswith(self._base):
                malformed()
            if what == "msg":
                self.box.header(leaf, payload, flags & 1, now)
            elif payload is None:
                malformed()
            elif what == "box":
                self.box.heard(payload, now)
                if flags & 1:
                    self._fresh = self.box.digest
            elif what == "re" and leaf == self._device:
                self._answered(decode_reply(payload), now)
        except ContractError as error:
            self._say("skipped: " + str(error))
        if flags & 6:
            self._acks.extend(b"\x40\x02")
            self._acks.extend(buffer[start:body])

    def _answered(self, reply: "Reply", now: int) -> None:
        if reply[0] != self._seen_id:
            self._reply(*reply)
            return
        self._seen_id = -1
        self._seen_due = now
        if reply[1] in (5, 6):
            self._seen_due = now + self._wait_ms(1000, self._seen_tries)
            self._seen_tries += 1
            return
        if reply[1]:
            self._say("seen: " + str(reply[4]))
        self._seen_tries = 0
        for mail_id in self._asked:
            if self.memory.get(mail_id) & WANTED:
                self.journal.mark(mail_id, 0, WANTED)

    def _remember(self) -> None:
        """Write down what the keepalive found, when it differs by a twentieth from what is written."""
        found = self.keepalive
        low, high, _ = self.journal.networks.get(self._network, (0, 0, 0))
        if abs(found.low_s - low) * 20 > low or found.high_s != high:
            self.journal.network(self._network, (found.low_s, found.high_s, found.found_s))

    def _say(self, text: str) -> None:
        """A line for a person; each only once."""
        if text not in self._said and len(self._said) < 16:
            self._said.append(text)
            self._notice(text)

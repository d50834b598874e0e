"""What an opaque S/MIME message holds when it is only signed: its content out of CMS (RFC 5652), in DER or BER.

No signature is looked at: what Postbell shows of a mail is not vouched for by anybody. Bytes that end too early give
what there is of them, for a long message is read from its start alone.
"""

from __future__ import annotations

from dataclasses import dataclass

SIGNED = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
"""The object identifier of signed data (RFC 5652 §5.1), without tag and length."""

_SEQUENCE, _OID, _OCTETS, _PIECES, _FIRST = 0x30, 0x06, 0x04, 0x24, 0xA0
_END = 0x00
_MOST_ELEMENTS = 20_000
_DEEPEST = 12
_LONGEST_LENGTH = 8


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of BER: its tag, and where its content lies; `endless` when only a mark ends it (X.690 §8.1.3.6)."""

    tag: int
    start: int
    end: int
    endless: bool


def kind(data: bytes) -> bytes:
    """The object identifier of what CMS data is, b"" when it is no such data."""
    info = _element(data, 0)
    named = _element(data, info.start) if info and info.tag == _SEQUENCE else None
    return data[named.start : named.end] if named and named.tag == _OID else b""


def signed_content(data: bytes) -> bytes:
    """What was signed, a MIME entity; b"" when the data is something else, or the signature stands apart."""
    if kind(data) != SIGNED:
        return b""
    position = _into(data, 0, _SEQUENCE)
    position = _into(data, _behind(data, position), _FIRST)
    position = _into(data, position, _SEQUENCE)
    position = _behind(data, _behind(data, position))  # version and digest algorithms
    position = _into(data, position, _SEQUENCE)
    position = _into(data, _behind(data, position), _FIRST)
    return _octets(data, position)


def _element(data: bytes, position: int) -> _Element | None:
    """The element that begins there, clipped where the data ends."""
    if not 0 <= position < len(data) - 1:
        return None
    tag, length, start = data[position], data[position + 1], position + 2
    if length == 0x80:
        return _Element(tag, start, len(data), endless=True)
    if length > 0x80:
        octets = length & 0x7F
        if octets > _LONGEST_LENGTH:
            return None
        length, start = int.from_bytes(data[start : start + octets]), start + octets
    return _Element(tag, start, min(start + length, len(data)), endless=False)


def _into(data: bytes, position: int, tag: int) -> int:
    """Where the content of the element of that tag begins; -1 when another one stands there."""
    element = _element(data, position)
    return element.start if element and element.tag == tag else -1


def _behind(data: bytes, position: int) -> int:
    """Where the next element begins, behind the one that begins there; -1 when none does."""
    element = _element(data, position)
    if element is None:
        return -1
    if not element.endless:
        return element.end
    depth, position = 1, element.start
    for _ in range(_MOST_ELEMENTS):
        inner = _element(data, position)
        if inner is None or depth > _DEEPEST:
            return -1
        if inner.endless:
            depth, position = depth + 1, inner.start
            continue
        position = inner.end
        depth -= inner.tag == _END
        if depth == 0:
            return position
    return -1


def _octets(data: bytes, position: int) -> bytes:
    """A string of octets, in one piece or in several."""
    whole = _element(data, position)
    if whole is None:
        return b""
    if whole.tag == _OCTETS:
        return data[whole.start : whole.end]
    pieces: list[bytes] = []
    position = whole.start if whole.tag == _PIECES else -1
    while 0 <= position < whole.end and len(pieces) < _MOST_ELEMENTS:
        piece = _element(data, position)
        if piece is None or piece.tag != _OCTETS or piece.endless:
            break
        pieces.append(data[piece.start : piece.end])
        position = piece.end
    return b"".join(pieces)

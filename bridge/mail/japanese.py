"""ISO-2022-JP as mail programs write it: with the circled numbers and squared words of NEC, and kana of half width.

Python's codecs know the standard alone. What they cannot read is taken apart at its escape sequences, and what stands
in the rows of JIS X 0208 is read in the larger set of Windows (cp932), which has those characters.
"""

from __future__ import annotations

import re
from itertools import islice

_CODEC = "iso2022_jp_ext"
_ESCAPE = re.compile(rb"(\x1b(?:\$[@AB]|\$\([A-DO-Q]|\([ABHIJ]|\.[AF])|[\x0e\x0f])")
_MOST_ESCAPES = 4_000
_ROWS = {b"\x1b$@", b"\x1b$B"}
_KANA = {b"\x1b(I", b"\x0e"}
_LEADS = bytes((row + 1) // 2 + (0x70 if row <= 0x5E else 0xB0) for row in range(128)).ljust(256, b"\x80")
"""First byte in cp932 of each row."""
_ODD = bytes(min(cell + (0x20 if cell >= 0x60 else 0x1F), 255) for cell in range(256))
_EVEN = bytes(min(cell + 0x7E, 255) for cell in range(256))
_IS_ODD = bytes(0xFF * (row & 1) for row in range(256))
_STANDARD = tuple(zip("～∥－￠￡￢", "〜‖−¢£¬", strict=True))
"""What cp932 calls otherwise than the standard."""
_HIGH = bytes(byte | 0x80 for byte in range(256))


def decode(data: bytes) -> str:
    """`data` in ISO-2022-JP or a variant of it, what cannot be read as U+FFFD. Never raises."""
    try:
        return data.decode(_CODEC)
    except UnicodeDecodeError:
        shifts = b"\x1b$" in data or b"\x1b(" in data
        return "".join(_pieces(data)) if shifts else data.decode(_CODEC, "replace")


def _pieces(data: bytes) -> list[str]:
    """The text between escape sequences, each piece in the set of characters that the one before it shifts to."""
    pieces: list[str] = []
    shift, position = b"", 0
    for escape in islice(_ESCAPE.finditer(data), _MOST_ESCAPES):
        pieces.append(_piece(shift, data[position : escape.start()]))
        shift, position = escape[0], escape.end()
    return [*pieces, _piece(shift, data[position:])]


def _piece(shift: bytes, text: bytes) -> str:
    if shift in _ROWS:
        rows, line_end, plain = text.partition(b"\n")  # a line end shifts back to ASCII (RFC 1468)
        return _rows(rows) + (line_end + plain).decode("ascii", "replace")
    if shift in _KANA:
        return text.translate(_HIGH).decode("cp932", "replace") if text.isascii() else text.decode("cp932", "replace")
    if shift in {b"\x1b(B", b"\x1b(J", b"\x1b(H", b"\x0f", b""}:
        return text.decode("ascii", "replace")
    return (shift + text).decode(_CODEC, "replace")


def _rows(text: bytes) -> str:
    """Pairs of row and cell, by way of the bytes that stand for them in cp932."""
    ends = text.endswith(b"\r")
    text = text[: -1 if ends else None]
    cells = text[1::2]
    rows = text[: 2 * len(cells) : 2]
    odd, even, is_odd = (
        int.from_bytes(each.translate(table)) for each, table in ((cells, _ODD), (cells, _EVEN), (rows, _IS_ODD))
    )
    trails = (even ^ (odd ^ even) & is_odd).to_bytes(len(rows))  # all at once: there may be a hundred thousand
    pairs = bytearray(2 * len(rows))
    pairs[::2], pairs[1::2] = rows.translate(_LEADS), trails
    said = pairs.decode("cp932", "replace")
    for theirs, ours in _STANDARD:
        said = said.replace(theirs, ours)
    return said + ("\ufffd" if len(text) % 2 else "") + ("\r" if ends else "")

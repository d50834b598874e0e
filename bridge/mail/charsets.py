"""Bytes to text for the charset names that mail uses; unknown or wrong ones still give text.

Nothing here raises for any bytes or any name. Names are looked up in a fixed table and never given
to `codecs.lookup` directly: that would import modules and grow caches at a mail sender's wish, and
offer him codecs that are no charsets.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import re
from encodings.aliases import aliases
from functools import cache, lru_cache

from bridge.mail import japanese

_NO_CHARSETS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_NO_CHARSETS |= {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}

# Senders mean the larger charset that their system used, not the smaller one that they name.
_MEANT = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "gb2312_80": "gb18030",
    "ks_c_5601": "cp949",
    "ks_c_5601_1987": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "euc_kr": "cp949",
    "euckr": "cp949",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "x_sjis": "cp932",
    "shiftjis": "cp932",
    "windows_31j": "cp932",
    "iso_2022_jp": "iso2022_jp_ext",
    "iso2022jp": "iso2022_jp_ext",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_1": "cp1252",
    "iso8859_1": "cp1252",
    "latin1": "cp1252",
    "l1": "cp1252",
    "iso_8859_9": "cp1254",
    "iso_8859_11": "cp874",
    "tis_620": "cp874",
    "tis620": "cp874",
    "windows_874": "cp874",
    "x_windows_874": "cp874",
    "big5": "big5hkscs",
    "x_big5": "big5hkscs",
    "macintosh": "mac_roman",
    "x_mac_roman": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "unicode_1_1_utf_7": "utf_7",
    "utf8mb4": "utf_8",
    "unicode": "utf_16",
    "ansi": "cp1252",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "cp50222": "iso2022_jp_ext",
    "x_windows_iso2022jp": "iso2022_jp_ext",
    "cp51932": "euc_jp",
    "x_euc_jp": "euc_jp",
    "cp_1252": "cp1252",
}


def _table() -> dict[str, str]:
    table = {name: codec for name, codec in aliases.items() if codec not in _NO_CHARSETS}
    table |= {codec: codec for codec in (*table.values(), *_MEANT.values())}
    table |= {f"windows_125{digit}": f"cp125{digit}" for digit in range(9)}
    table |= {f"cp125{digit}": f"cp125{digit}" for digit in range(9)}
    table |= {f"iso_8859_{part}": f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17))}
    return table | {"koi8_r": "koi8_r", "koi8_u": "koi8_u"} | _MEANT


_CODECS = _table()
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_SNIFFED = {"", "ascii", "utf_8", "utf_8_sig"}
_WIDE = {"utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"}
_OTHER_THAN_ASCII = _WIDE | {"utf_7", "cp037", "cp273", "cp424", "cp500", "cp1026", "cp1140"}
_ESCAPING = {"hz", "iso2022_kr", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004"} | _OTHER_THAN_ASCII
"""Charsets that have escape sequences of their own, or none that could be told."""
_PAIRS = {"gb18030", "gb2312", "gbk", "hz", "big5", "big5hkscs", "cp950", "cp949", "euc_kr", "johab", "cp932"}
_PAIRS |= {"shift_jis", "euc_jp", "cp874", "iso8859_11", "tis_620"}
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_ESCAPE = 0x1B
_LOOKED_AT = 4_096
_SHORTEST_NARROW = 8
_LONGEST_CHANCE = 16
_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
_IN_WORD = re.compile("[A-Za-z0-9][^\x00-\x7f]|[^\x00-\x7f][A-Za-z0-9]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f\ufffd]")


def codec(name: str) -> str:
    """The Python codec for a charset name as mail writes it, or "" when the name says nothing."""
    return _codec(name[:64]) if name else ""


@lru_cache(maxsize=64)
def _codec(name: str) -> str:
    plain = _PUNCTUATION.sub("_", name.partition("*")[0].strip().lower()).strip("_")
    return _CODECS.get(plain, "")


def of_readable(name: str) -> str:
    """The charset that a text names which could be read as ASCII so far: it is not UTF-16, whatever it says."""
    return "" if codec(name) in _WIDE else name


def decode(data: bytes, charset: str, *, hint: str = "") -> str:
    """`data` in the charset that was declared for it, else as its bytes suggest.

    What is not valid in the declared charset is replaced by U+FFFD. UTF-8 with at least one character beyond ASCII is
    read as UTF-8 under any name that keeps ASCII as it is: that is what senders declare without looking, and text
    in another charset that happens to be valid UTF-8 is not written by people (see `_by_chance` for what is).
    """
    declared = codec(charset)
    if declared in _WIDE and _narrow(data):
        declared = ""
    if declared in _SNIFFED:
        return sniff(data, hint=hint, utf8=declared.startswith("utf_8"))
    if declared == "utf_7":
        return _utf_7(data, hint=hint)
    if _ESCAPE in data and data.find(b"\x1b$") >= 0 and declared not in _ESCAPING and data.isascii():
        return japanese.decode(data)
    text = _utf8(data) if declared not in _OTHER_THAN_ASCII and not data.isascii() else None
    return _replacing(data, declared) if text is None or _by_chance(data, text, declared) else text


def sniff(data: bytes, *, hint: str = "", utf8: bool = False) -> str:
    """Undeclared bytes as text: ISO-2022-JP by its escapes, UTF-16 by its mark, UTF-8, the hinted charset, cp1252.

    `utf8` says that UTF-8 was declared: then a few broken characters do not speak against it.
    """
    if data.isascii():
        return japanese.decode(data) if _ESCAPE in data and data.find(b"\x1b$") >= 0 else data.decode("ascii")
    if data.startswith(_MARKS[:2]) and 0 in data[:_LOOKED_AT]:
        return data.decode("utf-16", "replace")
    valid = _utf8(data)
    if valid is not None:
        return valid
    text = data.decode("utf-8", errors="replace") if utf8 else ""
    if _BEYOND_ASCII.search(text):
        return text
    hinted = codec(hint)
    return _replacing(data, "cp1252" if hinted in _SNIFFED else hinted)


def _utf8(data: bytes) -> str | None:
    """`data` as UTF-8 if it is. A last character that was cut off is no objection: bodies are read in part."""
    try:
        return data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        if error.reason != "unexpected end of data" or whole.isascii():
            return None
    return whole.decode("utf-8-sig")


def _narrow(data: bytes) -> bool:
    """Whether bytes that are said to be UTF-16 or UTF-32 can be read as they are, so that they are neither."""
    if data.startswith(_MARKS) or 0 in data[:_LOOKED_AT]:
        return False
    return _utf8(data) is not None and (len(data) >= _SHORTEST_NARROW or not data.isascii())


def _by_chance(data: bytes, text: str, declared: str) -> bool:
    """Whether it may be chance that bytes are UTF-8: one or two characters of a charset of two bytes, or of Thai.

    A control beyond ASCII is written by nobody: it, too, is chance.
    """
    if _CONTROLS.search(text):
        return True
    if declared not in _PAIRS or len(data) > _LONGEST_CHANCE or _IN_WORD.search(text):
        return False
    others = [character for character in text if character > "\x7f"]
    if len(others) > 2 or (declared != "cp874" and max(others) > "\u07ff"):
        return False
    return "\ufffd" not in _replacing(data, declared)


def _utf_7(data: bytes, *, hint: str) -> str:
    """What is not valid to its end is no UTF-7; replacing what is wrong would cost a call for each byte."""
    for final in (True, False):  # data that was cut ends before its last run of shifted characters
        with contextlib.suppress(UnicodeDecodeError):
            return codecs.utf_7_decode(data, "strict", final)[0]
    return sniff(data, hint=hint)


def _replacing(data: bytes, codec: str) -> str:
    table = _single_bytes(codec)
    if table:
        return codecs.charmap_decode(data, "strict", table)[0]
    if codec == "iso2022_jp_ext":
        return japanese.decode(data)
    if codec == "euc_jp":  # with the circled numbers of NEC, which are in the newer standard as well
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("euc_jis_2004")
    try:
        return data.decode(codec, errors="replace")
    except RuntimeError:  # CPython's iso2022_jp_2, when it meets ESC . J and ESC N
        return _replacing(data, "cp1252")


@cache
def _single_bytes(codec: str) -> str:
    """The characters of all 256 bytes, U+FFFD for those that have none; "" for other codecs.

    With it no byte is an error: the codecs themselves call a handler for each one, which took half a
    second for a mebibyte.
    """
    table: str = getattr(importlib.import_module(f"encodings.{codec}"), "decoding_table", "")
    return table.replace("\ufffe", "\ufffd")

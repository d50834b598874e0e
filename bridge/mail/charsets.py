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
from functools import cache

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
_WESTERN = {"cp1252", "iso8859_15"}
_BEYOND_ASCII = re.compile("[^\x00-\x7f\ufffd]")


def codec(name: str) -> str:
    """The Python codec for a charset name as mail writes it, or "" when the name says nothing."""
    plain = _PUNCTUATION.sub("_", name[:64].partition("*")[0].strip().lower()).strip("_")
    return _CODECS.get(plain, "")


def decode(data: bytes, charset: str, *, hint: str = "") -> str:
    """`data` in the charset that was declared for it, else as its bytes suggest.

    What is not valid in the declared charset is replaced by U+FFFD. Only ASCII, UTF-8, UTF-7, Latin-1 and
    unknown names are doubted, since these are what senders declare without looking: UTF-8 under the
    name of Latin-1 is common, while Latin-1 that happens to be valid UTF-8 is not written by people.
    """
    declared = codec(charset)
    if declared in _SNIFFED:
        return sniff(data, hint=hint, utf8=declared.startswith("utf_8"))
    if declared == "utf_7":
        return _utf_7(data, hint=hint)
    text = _utf8(data) if declared in _WESTERN and not data.isascii() else None
    return _replacing(data, declared) if text is None else text


def sniff(data: bytes, *, hint: str = "", utf8: bool = False) -> str:
    """Undeclared bytes as text: ISO-2022-JP by its escapes, UTF-8, the hinted charset, cp1252.

    `utf8` says that UTF-8 was declared: then a few broken characters do not speak against it.
    """
    if b"\x1b$" in data and data.isascii():
        return data.decode("iso2022_jp_ext", errors="replace")
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
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        if error.reason != "unexpected end of data" or whole.isascii():
            return None
    return whole.decode("utf-8-sig")


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

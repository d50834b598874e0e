"""Charsets: names as mail writes them, and bytes that are not what they are said to be."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.mail import charsets


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf_8"),
        ("GB2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("Shift_JIS", "cp932"),
        ("iso-8859-8-i", "iso8859_8"),
        ("windows-874", "cp874"),
        ("ISO-8859-1", "cp1252"),
        ('"utf-8"', "utf_8"),
        ("Windows-1251", "cp1251"),
        ("cp874", "cp874"),
        ("x-nonsense", ""),
        ("rot13", ""),
        ("unicode_escape", ""),
        ("../../etc", ""),
        ("", ""),
    ],
)
def test_charset_names(name, codec):
    assert charsets.codec(name) == codec


def test_wrongly_declared_bytes_still_become_text():
    assert charsets.decode("Grüße".encode("cp1252"), "utf-8") == "Grüße"
    assert charsets.decode("Grüße".encode(), "us-ascii") == "Grüße"
    assert charsets.decode("Grüße ".encode() + b"\xff", "utf-8") == "Grüße \ufffd"
    assert charsets.decode("Привет".encode("koi8-r"), "x-nonsense", hint="koi8-r") == "Привет"
    assert charsets.decode(b"\xef\xbb\xbfa", "utf-8") == "a"


def test_circled_numbers_of_nec_in_euc_jp():
    assert charsets.decode("①㈱青空".encode("euc_jis_2004"), "euc-jp") == "①㈱青空"
    assert charsets.decode("青空".encode("euc_jp") + b"\xff", "euc-jp") == "青空\ufffd"


def test_utf8_that_calls_itself_latin_1_is_utf8():
    assert charsets.decode("Grüße aus Köln – schön".encode(), "iso-8859-1") == "Grüße aus Köln – schön"
    assert charsets.decode("5 € für Ø".encode(), "iso-8859-15") == "5 € für Ø"
    assert charsets.decode("Grüße, café".encode("cp1252"), "iso-8859-1") == "Grüße, café"
    assert charsets.decode("café".encode("cp1252"), "iso-8859-1") == "café"


WORDS = [
    "Grüße aus Köln",
    "Привет, мир",
    "会議は五時です OK",
    "检测到移动侦测报警",
    "مرحبا",
    "שלום",
    "สวัสดี",
    "안녕",
    "25 °C",
    "😀",
]
ASCII_COMPATIBLE = sorted(
    {*charsets._CODECS.values()} - charsets._OTHER_THAN_ASCII - charsets._SNIFFED,
)


@pytest.mark.parametrize("declared", ASCII_COMPATIBLE)
def test_utf8_is_utf8_under_any_name_that_keeps_ascii(declared):
    for words in WORDS:
        assert charsets.decode(words.encode(), declared) == words
        assert charsets.decode(words.encode()[:-1], declared).startswith(words[:-1].rstrip("°"))


GENUINE = {
    "cp1251": "Привет, мир. Её ждут.", "koi8_r": "Ещё её ёлка.", "iso8859_5": "Привет, УМ",
    "cp1250": "Příliš žluťoučký kůň",
    "iso8859_2": "Zażółć gęślą jaźń", "cp1253": "Καλημέρα κόσμε", "cp1255": "שלום עולם", "cp1256": "مرحبا بالعالم",
    "cp874": "แดง", "gb18030": "模板", "big5": "中文的字", "cp949": "한국어",
    "cp932": "ﾃｽﾄ 会議", "euc_jp": "会議は五時",
    "cp1252": "Ã la carte, façon «maison»", "cp1254": "İyi günler",
}  # fmt: skip


@pytest.mark.parametrize("declared", GENUINE)
def test_what_people_write_in_a_charset_is_read_in_it(declared):
    assert charsets.decode(GENUINE[declared].encode(declared), declared) == GENUINE[declared]


def test_one_character_of_two_bytes_may_be_utf8_by_chance():
    assert charsets.decode("模".encode("gbk"), "gb2312") == "模"
    assert charsets.decode("模 ".encode("gbk") + b"!", "gbk") == "模 !"
    assert charsets.decode("Köln".encode(), "gb2312") == "Köln"
    assert charsets.decode("我".encode(), "gb2312") == "我"


@pytest.mark.parametrize(
    "declared", ["", "us-ascii", "utf-8", "iso-8859-1", "shift_jis", "euc-jp", "windows-1252", "x-nonsense"]
)
def test_iso_2022_jp_is_known_by_its_escapes(declared):
    assert charsets.decode("会議①".encode("iso2022_jp_2004").replace(b"$(Q", b"$B"), declared) == "会議①"


def test_what_would_be_a_control_in_utf8_is_none():
    assert charsets.decode("Â€".encode("cp1250"), "windows-1250") == "Â€"


def test_text_that_can_be_read_is_not_utf16():
    assert charsets.decode(b"All is well", "utf-16") == "All is well"
    assert charsets.decode("Grüße aus Köln".encode(), "unicode") == "Grüße aus Köln"
    assert charsets.decode("All is well".encode("utf-16"), "utf-16") == "All is well"
    assert charsets.decode("All is well".encode("utf-16-le"), "utf-16le") == "All is well"
    assert charsets.decode("All is well".encode("utf-16"), "") == "All is well"
    assert charsets.decode("中国的语言".encode("utf-16-be"), "utf-16be") == "中国的语言"
    assert charsets.decode("中".encode("utf-16-be"), "utf-16be") == "中"


def test_text_that_was_cut_within_a_character_is_still_utf8():
    whole = "Привет мир".encode()
    for charset in ("", "us-ascii", "iso-8859-1", "nonsense"):
        assert charsets.decode(whole[:-1], charset) == "Привет ми"
    assert charsets.decode(b"caf\xe9", "") == "café"


SHIFTS = [b"\x1b" + shift for shift in (b"$B", b"(B", b"$A", b"$(C", b"$(D", b"$)C", b".A", b".F", b".J", b"N", b"O")]
SHIFTS += [b"\x0e", b"\x0f", b"~{", b"~}", b"+", b"-", b"\xd8\x00", b"\xff", b"a"]


@given(
    st.one_of(st.binary(), st.lists(st.sampled_from(SHIFTS), max_size=6).map(b"".join)),
    st.sampled_from(sorted({*charsets._CODECS, "", "nonsense"})),
)
@example(b"\x1b.J\x1bN@", "iso-2022-jp-2")  # CPython's codec raises a RuntimeError
def test_no_bytes_and_no_charset_raise(data, name):
    assert isinstance(charsets.decode(data, name), str)


@pytest.mark.parametrize("name", sorted(set(charsets._CODECS.values())))
def test_a_charset_reads_as_its_codec_does(name):
    """Whatever is valid, and byte for byte what is not, where there is no reason to doubt the declaration."""
    data = bytes(range(256))
    if charsets.codec(name) == name and name not in charsets._SNIFFED | {"utf_7"}:
        assert charsets.decode(data, name) == data.decode(name, errors="replace")


def test_utf_7_is_believed_when_all_of_it_is_valid_and_may_have_been_cut():
    assert charsets.decode("Grüße".encode("utf-7"), "utf-7") == "Grüße"
    assert charsets.decode(b"Gr+APw", "utf-7") == "Grü"
    assert charsets.decode(b"Gr+APwA3", "utf-7") == "Gr"
    assert charsets.decode("Grüße".encode(), "utf-7") == "Grüße"

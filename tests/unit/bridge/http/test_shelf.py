"""Which files of the web client are served, as what, and in which form."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp.test_utils import make_mocked_request

from bridge.http import shelf
from bridge.http.shelf import ServedFile


def answered(file, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(file.answer(make_mocked_request("GET", "/", headers=named)))


@pytest.fixture
def page():
    return ServedFile.of("text/html; charset=utf-8", b"<p>hello</p>" * 100)


def test_files_with_a_known_suffix_are_served_and_no_others(tmp_path):
    for name in (
        "index.html",
        "sw.js",
        "style.css",
        "icons/192.png",
        "tool.py",
        "README.md",
        ".hidden.js",
        ".git/x.js",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert sorted(shelf.pages(tmp_path)) == ["/", "/icons/192.png", "/index.html", "/style.css", "/sw.js"]
    assert not any(page.private for page in shelf.pages(tmp_path).values())


def test_the_client_that_comes_with_postbell_is_found():
    assert "/contract/header.js" in shelf.pages()


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=1", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000, br", False),
        ("*", False),
        ("xgzip", False),
    ],
)
def test_a_file_goes_out_compressed_to_who_takes_it(page, accepted, packed):
    response = answered(page, Accept_Encoding=accepted)
    assert response.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(response.body) if packed else response.body) == page.content
    assert response.headers["Vary"] == "Accept-Encoding"


def test_what_does_not_become_smaller_goes_out_as_it_is():
    assert answered(ServedFile.of("image/png", bytes(range(256))), Accept_Encoding="gzip").body == bytes(range(256))


def test_a_browser_that_has_it_is_told_so_and_each_form_has_a_tag(page):
    plain = answered(page).headers["ETag"]
    packed = answered(page, Accept_Encoding="gzip").headers["ETag"]
    assert plain != packed
    for known in (plain, f'"else", W/{plain}', "*"):
        response = answered(page, If_None_Match=known)
        assert (response.status, response.body, response.headers["ETag"]) == (304, None, plain)
    assert answered(page, If_None_Match=packed).status == 200
    assert answered(page, If_None_Match=packed, Accept_Encoding="gzip").status == 304


def test_another_content_has_another_tag(page):
    assert ServedFile.of("text/html", b"x").tag != page.tag

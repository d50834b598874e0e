"""The id of a mailing list, as rules match it (RFC 2919 §3)."""

from __future__ import annotations

import pytest

from bridge.mail import headers


@pytest.mark.parametrize(
    ("field", "list_id"),
    [
        (b"", ""),
        (b"List-Id: <weekly.news.example>\n", "weekly.news.example"),
        (b'List-Id: "All <the> news" <Weekly.News.Example>\n', "weekly.news.example"),
        (b"List-ID: The news\n <weekly.news.example> \n", "weekly.news.example"),
        (b"List-Id: weekly.news.example\n", "weekly.news.example"),
        (b"List-Id: =?utf-8?q?News?= <weekly.news.example>\n", "weekly.news.example"),
        (b"List-Id: two words\n", ""),
        (b"List-Id: <>\n", ""),
        (b"List-Id: <" + b"a" * 300 + b">\n", ""),
    ],
)
def test_the_id_of_a_list_is_read(field, list_id):
    raw = field + b"From: a@example.org\n\nhello\n"
    assert headers.extract(raw, size=len(raw)).list_id == list_id

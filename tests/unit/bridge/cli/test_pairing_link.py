"""The link that pairs a page, as the page reads it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode

import pytest

from bridge.cli import pairing_link
from bridge.config.endpoints import WebUrl


@pytest.mark.parametrize(("root", "more"), [("mail", {}), ("home/mail", {"r": "home/mail"})])
def test_a_page_is_told_its_login_and_a_root_that_is_not_the_usual_one(root, more):
    web = WebUrl.parse("https://mail.example.org")
    place, _, fragment = pairing_link.link(web, user="alice", device="tab", password="pä?s>s", root=root).partition("#")
    assert place == "https://mail.example.org/"
    name, _, octets = fragment.partition("=")
    assert name == "pair"
    assert set(octets).isdisjoint("+/=")
    assert json.loads(urlsafe_b64decode(octets + "===")) == {"u": "alice", "d": "tab", "p": "pä?s>s", **more}

"""A whole Postbell with its web client, and browsers to look at it."""

from __future__ import annotations

import json

import pytest

from tests.support.browser import Browser
from tests.support.system import System

BROWSERS = ["chromium", "firefox"]


class Site(System):
    """`postbell serve` with HTTP on, and alice's device that a link pairs."""

    link = ""

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://localhost:{self.facts('bridge')['http'].rpartition(':')[2]}/"

    def begin(self) -> None:
        """Up, with alice and her phone."""
        self.process = self.serve()
        self.run("user", "add", "alice", "--address", "alice@example.org")
        login = json.loads(self.run("device", "add", "alice", "phone", "--json").stdout)
        self.link = self.url + "#" + login["web_url"].partition("#")[2]

    def mail(self, subject, body="What it says.", *, sender="Ada <ada@example.org>", headers=""):
        """A mail to alice, in UTF-8; its id."""
        text = f"From: {sender}\nSubject: {subject}\nMIME-Version: 1.0\n{headers}"
        if "Content-Type" not in headers:
            text += "Content-Type: text/plain; charset=utf-8\n"
        return self.send(f"{text}\n{body}\n".encode(), "alice@example.org").split()[0]


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path, POSTBELL_HTTP__LISTEN="127.0.0.1:0") as site:
        site.begin()
        yield site


@pytest.fixture(params=BROWSERS)
def browser(request, tmp_path):
    """Each of the browsers."""
    with Browser(request.param, tmp_path / "profile") as browser:
        yield browser


@pytest.fixture
def chromium(tmp_path):
    with Browser("chromium", tmp_path / "profile") as browser:
        yield browser


@pytest.fixture
def paired(site, chromium):
    """A page of alice's that is connected."""
    tab = chromium.open(site.link)
    tab.is_connected()
    return tab

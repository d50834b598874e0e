"""A whole Postbell with its web client, people who have mail there, and browsers to look at it."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.support.browser import Browser
from tests.support.system import System

BROWSERS = ["chromium", "firefox"]
NAMES = itertools.count()


class Site(System):
    """`postbell serve` with HTTP on."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://localhost:{self.facts('bridge')['http'].rpartition(':')[2]}/"


class Person:
    """Somebody with mail, and the link that pairs a phone."""

    def __init__(self, site: Site) -> None:
        self.site, self.name = site, f"alice{next(NAMES)}"
        self.address = f"{self.name}@example.org"
        self.link = f"{self.url}#{self.link_of(site.add(self.name))}"

    @property
    def url(self) -> str:
        return self.site.url

    def link_of(self, login) -> str:
        """What stands behind the `#`."""
        return login["web_url"].partition("#")[2]

    def another_link(self, device="desk") -> str:
        """For another device of the same person."""
        return (
            f"{self.url}#{self.link_of(json.loads(self.site.run('device', 'add', self.name, device, '--json').stdout))}"
        )

    def mail(self, subject, body="What it says.", *, sender="Ada <ada@example.org>", headers=""):
        """A mail, in UTF-8; its id."""
        text = f"From: {sender}\nSubject: {subject}\nMIME-Version: 1.0\n{headers}"
        if "Content-Type" not in headers:
            text += "Content-Type: text/plain; charset=utf-8\n"
        return self.site.send(f"{text}\n{body}\n".encode(), self.address)


def a_site(directory, **settings):
    return Site(directory, POSTBELL_HTTP__LISTEN="127.0.0.1:0", **settings)


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory):
    with a_site(tmp_path_factory.mktemp("site")) as site:
        site.serve()
        yield site


@pytest.fixture
def person(shared_site):
    """Somebody of their own for each test, at a Postbell that stays up."""
    return Person(shared_site)


@pytest.fixture
def alone(tmp_path):
    """Somebody at a Postbell that may be stopped: `person.site`."""
    with a_site(tmp_path) as site:
        site.process = site.serve()
        yield Person(site)


@pytest.fixture(scope="session")
def browsers(tmp_path_factory):
    """Browsers that stay open, by kind."""
    opened = {}

    def of(kind):
        if kind not in opened:
            opened[kind] = Browser(kind, tmp_path_factory.mktemp("profile"))
        return opened[kind]

    yield of
    for each in opened.values():
        each.end()


@pytest.fixture(params=BROWSERS)
def browser(request, browsers):
    """A window of each of the browsers."""
    with browsers(request.param).window() as window:
        yield window


@pytest.fixture
def chromium(browsers):
    with browsers("chromium").window() as window:
        yield window


@pytest.fixture
def paired(person, chromium):
    """A page that is connected."""
    tab = chromium.open(person.link)
    tab.is_connected()
    return tab

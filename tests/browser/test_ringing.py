"""Ringing: while nobody looks at the page, and while there is no page at all."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import Person, a_site
from tests.support.browser import WORKS, Browser
from tests.support.browser_push import BrowserPush
from tests.support.push_service import HOST, PushService, Reaction
from tests.support.waiting import until

SHOWN = """
  const registration = await navigator.serviceWorker.ready;
  const shown = await registration.getNotifications();
  return shown.map(({ title, body, tag, data }) => [title, body, tag, data?.navigate]);
"""
TELLS = f"const shown = await (async () => {{ {SHOWN} }})(); return shown.length ? shown : null"


CHECKS = "return document.querySelector('.checks').textContent.includes('{}')"


def button(words):
    """The button of the page about ringing that says this."""
    return f"[...document.querySelectorAll('.why .button')].find((each) => each.textContent === '{words}')"


@pytest.fixture
def service(tmp_path):
    with PushService(tmp_path / "service") as service:
        yield service


@pytest.fixture
def reached(tmp_path, service):
    """Somebody whose bridge trusts the push service, and may go there."""
    settings = {"SSL_CERT_FILE": str(service.chain), "POSTBELL_PUSH__ALLOW": HOST}
    with a_site(tmp_path, **settings, POSTBELL_PUSH__SUBJECT="mailto:root@example.org") as site:
        site.serve()
        yield Person(site)


@pytest.fixture
def firefox(service, tmp_path):
    """Firefox with a push service of its own, and what that service says to it."""
    with BrowserPush(service.endpoint) as push:
        preferences = {
            "dom.push.serverURL": push.url,
            "dom.push.testing.allowInsecureServerURL": True,
            "dom.push.connection.enabled": True,
        }
        with Browser("firefox", tmp_path / "profile", preferences=preferences) as firefox:
            yield firefox, push


def a_page_that_has_it_rung(firefox, person):
    """A page whose person wants to be rung; it is subscribed, and the bridge knows."""
    tab = firefox.open(person.link)
    tab.is_connected()
    tab.until(WORKS)
    tab.click(".state")
    tab.click(".why .buttons .main")
    tab.until("return document.querySelector('.why > .hint').textContent.includes('also while this page is closed')")
    tab.until(CHECKS.format("It rings while the page is closed"))
    return tab


def pushed_to(person):
    """How its only device is rung, as the operator sees it."""
    return json.loads(person.site.run("device", "list", person.name, "--json").stdout)[0].get("push")


def test_a_phone_whose_page_is_closed_is_rung(reached, service, firefox):
    firefox, firefox_push = firefox
    tab = a_page_that_has_it_rung(firefox, reached)
    tab.ask("goto", url="about:blank")
    mail_id = reached.mail("Plan", "See the drawing.")
    (post,) = service.wait(1)
    firefox_push.deliver(post.body)
    until(lambda: firefox_push.acknowledged, what="the browser to take what was pushed")
    tab.ask("goto", url=f"{reached.url}icon.svg")  # of the same origin, and no page of ours
    again = firefox.open(reached.url)
    again.until(TELLS)
    ((title, body, tag, navigate),) = again.run(SHOWN)
    assert (title, tag) == ("Ada", mail_id)
    assert body.startswith("Plan")
    assert navigate.endswith(f"#mail={mail_id}")
    again.shows("Plan")
    again.run(f"document.querySelector('[data-id=\"{mail_id}\"] .seen').click()")
    again.until(f"return !(await (async () => {{ {SHOWN} }})()).length")  # what is gone rings no more
    again.run("location.hash = '#why'")
    again.until(f"return {button('Ring no more')}")
    again.run(f"{button('Ring no more')}.click()")
    again.until(CHECKS.format("Nothing rings while the page is closed"))
    assert not pushed_to(reached)


def test_a_phone_that_its_push_service_forgot_subscribes_anew_when_the_page_is_opened(reached, service, firefox):
    firefox, firefox_push = firefox
    tab = a_page_that_has_it_rung(firefox, reached)
    tab.ask("goto", url="about:blank")
    service.reactions.append(Reaction(410))
    reached.mail("into the void")
    (lost,) = service.wait(1)
    until(lambda: pushed_to(reached)["state"] == "forgotten", what="the bridge to forget it")
    reached.mail("nobody is asked to ring")
    reached.site.wait_drained()
    tab.ask("goto", url=reached.url)
    tab.shows("into the void", "nobody is asked to ring")
    until(lambda: pushed_to(reached)["state"] == "new", what="the page to subscribe anew")
    tab.ask("goto", url="about:blank")
    reached.mail("Plan")
    _, post = service.wait(2)
    assert post.path != lost.path
    firefox_push.deliver(post.body)
    until(lambda: firefox_push.acknowledged, what="the browser to take what was pushed")
    tab.ask("goto", url=reached.url)
    tab.until(TELLS)
    assert [each[1] for each in tab.run(SHOWN)] == ["Plan – What it says."]


@pytest.mark.parametrize(
    ("pushed", "shown"),
    [
        (
            {
                "web_push": 8030,
                "notification": {"title": "Ada", "body": "Plan", "tag": "t", "navigate": "./#mail=00t64ks8n"},
            },
            ["Ada", "Plan", "t", "./#mail=00t64ks8n"],
        ),
        (
            {
                "web_push": 8030,
                "notification": {"title": "<b>Ada</b>", "tag": "t", "navigate": "https://elsewhere.example/"},
            },
            ["<b>Ada</b>", "", "t", "https://elsewhere.example/"],
        ),
        ({"notification": 7}, ["New mail", "", "mail", "./"]),
        ("no JSON", ["New mail", "", "mail", "./"]),
    ],
)
def test_what_is_pushed_is_shown_and_opened_by_a_click(person, chromium, pushed, shown):
    tab = chromium.open(person.link)
    tab.is_connected()
    tab.until(WORKS)
    tab.ask("grant", permissions=["notifications"])
    data = pushed if isinstance(pushed, str) else json.dumps(pushed)
    tab.ask("push", data=data)
    tab.until(TELLS)
    assert tab.run(SHOWN) == [shown]
    tab.ask("push", data=data)
    assert tab.run(SHOWN) == [shown], "the same once more takes its place"
    tab.ask("tapped")
    tab.until(f"return !(await (async () => {{ {SHOWN} }})()).length")
    expected = "#mail=00t64ks8n" if "00t64ks8n" in data else ""
    tab.until(f"return location.hash === '{expected}'")
    assert tab.run("return location.origin + '/'") == person.url


def test_a_page_in_the_background_rings_and_one_that_is_looked_at_does_not(person, chromium):
    tab = chromium.open(person.link)
    tab.is_connected()
    tab.until(WORKS)
    tab.ask("grant", permissions=["notifications"])
    person.mail("looked at")
    tab.shows("looked at")
    chromium.open("about:blank")
    tab.until("return document.visibilityState === 'hidden'")
    mail_id = person.mail("not looked at")
    tab.until(TELLS)
    assert [each[1:3] for each in tab.run(SHOWN)] == [["not looked at", mail_id]]


def test_the_test_button_rings(person, chromium):
    tab = chromium.open(person.link)
    tab.is_connected()
    tab.until(WORKS)
    tab.ask("grant", permissions=["notifications"])
    tab.run("location.hash = '#why'")
    tab.until(f"return {button('Ring now, as a test')}")
    tab.run(f"{button('Ring now, as a test')}.click()")
    tab.until(TELLS)
    assert tab.run(SHOWN)[0][2] == "test"

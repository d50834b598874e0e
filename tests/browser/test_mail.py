"""Mail in real browsers: paired by a link, there at once, there once, whatever dies."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import BROWSERS, Person
from tests.support.browser import PHONE, WORKS, Browser

FIVE = [f"mail {number}" for number in range(5)]
UNACKNOWLEDGED = """
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (bytes) { if (!globalThis.silent || bytes[0] !== 0x40) send.call(this, bytes); };
"""
"""Once `silent` is set, nothing is acknowledged any more."""
PATIENT = "const later = setTimeout; globalThis.setTimeout = (run, ms) => (ms === 10000 ? 0 : later(run, ms));"
"""What can be undone can be undone for ever."""
NO_WISHES = """
  return new Promise((done) => {
    indexedDB.open("postbell").onsuccess = (event) => {
      const wishes = event.target.result.transaction("wishes").objectStore("wishes").count();
      wishes.onsuccess = () => done(wishes.result === 0 && (event.target.result.close(), true));
    };
  });
"""
HANGING = "IDBDatabase.prototype.transaction = () => ({ objectStore: () => ({ get: () => ({}) }) }); return true"


def test_a_link_pairs_and_is_gone_from_the_address_and_the_history(person, browser):
    tab = browser.open(person.link)
    tab.is_connected()
    assert tab.run("return location.href") == person.url
    assert tab.run("return document.documentElement.outerHTML.includes('pair=')") is False
    tab.ask("goto", url=f"{person.url}icon.svg")
    tab.ask("back")
    tab.is_connected()
    assert "pair" not in tab.run("return location.href")
    log = "".join(path.read_text() for path in person.site.directory.glob("*.log"))
    assert "pair=" not in log
    assert not [line for line in tab.said() if "Content Security" in line or "Error" in line]


def test_a_link_that_is_pasted_pairs_as_well_and_another_is_asked_about(person, chromium):
    tab = chromium.open(person.url)
    tab.until("return document.querySelector('#link')")
    tab.ask("type", selector="#link", text="https://elsewhere.example/")
    tab.click("form .main")
    tab.until("return document.querySelector('.wrong').textContent.includes('no link')")
    tab.ask("type", selector="#link", text=person.link)
    tab.click("form .main")
    tab.is_connected()
    person.mail("for alice")
    tab.shows("for alice")
    other = Person(person.site)
    second = chromium.open(other.link)
    second.until(f"return document.querySelector('[role=alertdialog]')?.textContent.includes('{other.name}')")
    assert "pair" not in second.run("return location.href")
    second.click(".buttons button:first-child")
    second.shows("for alice")
    second.ask("goto", url="about:blank")
    second.ask("goto", url=other.link)
    second.click(".buttons button:last-child")
    second.is_connected()
    second.shows()
    tab.shows()  # the other tab is bob's now, too


def test_a_new_password_of_the_same_device_is_taken_without_a_question(person, paired):
    person.mail("kept")
    paired.shows("kept")
    login = json.loads(person.site.run("device", "password", person.name, "phone", "--json").stdout)
    paired.until("return document.querySelector('.state').textContent !== 'Connected'")
    paired.ask("goto", url="about:blank")
    paired.ask("goto", url=f"{person.url}#{person.link_of(login)}")
    paired.is_connected()
    paired.shows("kept")


def test_five_mails_within_a_second_are_all_there(person, browser):
    tab = browser.open(person.link)
    tab.is_connected()
    for subject in FIVE:
        person.mail(subject)
    tab.shows(*FIVE)
    tab.until("return document.title === '(5) Postbell'")


@pytest.mark.parametrize("kind", BROWSERS)
def test_a_browser_that_is_killed_with_mail_in_flight_has_all_of_it_once(person, kind, tmp_path):
    with Browser(kind, tmp_path / "profile") as browser:
        tab = browser.open(person.link, before=UNACKNOWLEDGED)
        tab.is_connected()
        tab.run("globalThis.silent = true")
        for subject in FIVE[:2]:
            person.mail(subject)  # on record, and not acknowledged
        tab.shows(*FIVE[:2])
        tab.run(HANGING)
        for subject in FIVE[2:]:
            person.mail(subject)  # sent, and on no record
        person.site.wait_drained()
        browser.kill()
    with Browser(kind, tmp_path / "profile") as browser:
        tab = browser.open(person.url)
        tab.is_connected()
        tab.shows(*FIVE)
        person.mail("one more")
        tab.shows(*FIVE, "one more")


def test_a_write_that_fails_loses_nothing(person, browser):
    tab = browser.open(person.link)
    tab.is_connected()
    person.mail("before")
    tab.shows("before")
    tab.run("""
      const begin = IDBDatabase.prototype.transaction;
      globalThis.failures = 0;
      IDBDatabase.prototype.transaction = function (names, mode, ...more) {
        const transaction = begin.call(this, names, mode, ...more);
        if (mode === 'readwrite' && globalThis.failures++ < 3) queueMicrotask(() => transaction.abort());
        return transaction;
      };
    """)
    for subject in FIVE:
        person.mail(subject)
    tab.shows("before", *FIVE)
    tab.is_connected()
    assert tab.run("return globalThis.failures") > 3
    assert tab.run("return globalThis.sockets.length") > 1, "what is not on record is sent again, and not only healed"
    tab.ask("reload")
    tab.shows("before", *FIVE)


def test_the_server_goes_and_comes_and_the_page_says_so(alone, chromium):
    tab, site = chromium.open(alone.link), alone.site
    tab.is_connected()
    alone.mail("before")
    tab.shows("before")
    tab.until(WORKS)
    port = site.url.rpartition(":")[2].strip("/")
    site.stop(site.process)
    tab.until("return document.querySelector('.state').textContent === 'Not connected'")
    tab.ask("reload")  # out of the service worker, with what is on record
    tab.shows("before")
    tab.until("return document.querySelector('.state').textContent === 'Not connected'")
    site.environment["POSTBELL_HTTP__LISTEN"] = f"127.0.0.1:{port}"
    site.serve()
    alone.mail("after")
    tab.shows("before", "after")
    tab.is_connected()


def test_without_https_mail_comes_all_the_same_and_the_page_says_what_is_missing(person, chromium):
    tab = chromium.open(person.link.replace("localhost", "plain.example"))
    tab.is_connected()
    assert tab.run("return isSecureContext") is False
    mail_id = person.mail("Plan")
    tab.shows("Plan")
    tab.click(".state")
    tab.until("return document.querySelector('.checks')?.textContent.includes('This address is not secure')")
    tab.press("Escape")
    tab.run(f"document.querySelector('[data-id=\"{mail_id}\"] .seen').click()")
    tab.shows()
    assert not [line for line in tab.said() if "TypeError" in line or "ReferenceError" in line]


def test_a_device_that_is_revoked_is_told(person, paired):
    person.site.run("device", "revoke", person.name, "phone")
    paired.until("return document.querySelector('.state').textContent === 'Refused'")
    paired.click(".state")
    paired.until("return document.querySelector('.checks').textContent.includes('revoked')")


@pytest.mark.parametrize("how", ["swiped", "by key", "by button", "opened"])
def test_seen_here_is_gone_everywhere_and_can_be_undone(person, chromium, how):
    phone = {"size": PHONE, "touch": True} if how == "swiped" else {}
    tab = chromium.open(person.link, before=PATIENT, **phone)
    tab.is_connected()
    person.mail("stays")
    mail_id = person.mail("goes")
    tab.shows("stays", "goes")
    row = f'[data-id="{mail_id}"]'
    if how == "swiped":
        tab.ask("swipe", selector=f"{row} .mail", by=40)
        tab.shows("stays", "goes")
        tab.ask("swipe", selector=f"{row} .mail", by=-220)
    elif how == "by key":
        tab.press("j", "e")
    elif how == "by button":
        tab.run(f"document.querySelector('{row} .seen').click()")
    else:
        tab.click(f"{row} .mail")
        tab.click(".opened .main")
    tab.shows("stays")
    person.site.run("device", "add", person.name, "terminal")
    assert _listed(person) == ["stays"]
    tab.until("return document.querySelector('.toast .button')")
    tab.run("document.querySelector('.toast .button').click()")
    tab.shows("stays", "goes")
    tab.until(NO_WISHES)
    assert _listed(person) == ["goes", "stays"]


def test_what_another_device_takes_back_is_in_the_list_again(person, paired):
    mail_id = person.mail("read too soon")
    paired.shows("read too soon")
    person.site.run("device", "add", person.name, "terminal")
    person.site.run("inbox", f"{person.name}/terminal", "seen", "1")
    paired.shows()
    person.site.run("inbox", f"{person.name}/terminal", "unseen", "1")
    paired.shows("read too soon")
    assert paired.run("return document.querySelector('.row').dataset.id") == mail_id


def _listed(person):
    """The subjects that the terminal lists, for another device of the same user."""
    person.site.wait_drained()
    run = person.site.run("inbox", f"{person.name}/terminal", "--json")
    return sorted(json.loads(line)["subject"] for line in run.stdout.splitlines())

"""One connection for all tabs, whichever of them is closed, frozen or killed."""

from __future__ import annotations

from tests.support.waiting import until

OPEN = "return globalThis.sockets.filter((each) => each.readyState < 2).length"


def connections(tabs):
    """How many of these tabs have a connection."""
    return [tab.run(OPEN) for tab in tabs]


def test_three_tabs_have_one_connection_and_the_next_takes_over_from_one_that_is_closed(person, browser):
    tabs = [browser.open(person.link), browser.open(person.url), browser.open(person.url)]
    for tab in tabs:
        tab.is_connected()
    assert connections(tabs) == [1, 0, 0]
    mail_id = person.mail("for all three")
    for tab in tabs:
        tab.shows("for all three")
    tabs[2].click(f'[data-id="{mail_id}"] .mail')  # its text comes by way of the first
    tabs[2].until("return document.querySelector('.text > p')?.textContent.includes('What it says')")
    tabs[1].run(f"document.querySelector('[data-id=\"{mail_id}\"] .seen').click()")
    for tab in tabs:
        tab.shows()
    tabs[0].close()
    until(lambda: sum(connections(tabs[1:])) == 1, what="another tab to take over")
    person.mail("later")
    for tab in tabs[1:]:
        tab.shows("later")
        tab.is_connected()
    assert sum(connections(tabs[1:])) == 1


def test_a_tab_that_is_frozen_is_robbed_and_closes_when_it_thaws(person, chromium):
    frozen = chromium.open(person.link)
    frozen.is_connected()
    looked_at = chromium.open(person.url)
    looked_at.is_connected()
    frozen.ask("cdp", method="Page.setWebLifecycleState", parameters={"state": "frozen"})
    person.mail("while it is frozen")
    looked_at.run("dispatchEvent(new Event('focus'))")
    looked_at.shows("while it is frozen")
    assert looked_at.run(OPEN) == 1
    frozen.ask("cdp", method="Page.setWebLifecycleState", parameters={"state": "active"})
    frozen.shows("while it is frozen")
    frozen.until("return globalThis.sockets.every((each) => each.readyState >= 2)")
    person.mail("after it")
    for tab in (frozen, looked_at):
        tab.shows("while it is frozen", "after it")
        tab.is_connected()
    assert connections([frozen, looked_at]) == [0, 1]
    assert frozen.run("return globalThis.sockets.length") == 1, "it did not come back to throw the other one out"


def test_a_tab_that_hangs_keeps_nobody_from_their_mail(person, chromium):
    """Its main thread runs in a circle: it answers nothing, and holds the lock."""
    hanging = chromium.open(person.link)
    hanging.is_connected()
    looked_at = chromium.open(person.url)
    looked_at.is_connected()
    hanging.run("setTimeout(() => { const end = Date.now() + 30000; while (Date.now() < end); }, 0)")
    looked_at.run("dispatchEvent(new Event('focus'))")
    person.mail("meanwhile")
    looked_at.shows("meanwhile")
    hanging.shows("meanwhile")
    hanging.until("return globalThis.sockets.every((each) => each.readyState >= 2)")
    looked_at.is_connected()

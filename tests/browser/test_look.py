"""How it looks and is used: both themes, phone and desk, from either side, by keys, by ear; and how much it weighs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.browser import DESK, PHONE, WORKS

ARABIC, HEBREW = "موعد الاجتماع غدًا في العاشرة", "הפגישה מחר בעשר"
FITS = "return document.documentElement.scrollWidth <= innerWidth"
PICTURES = os.environ.get("PICTURES", "")
"""Where pictures for the documentation go, instead of the test's own folder: `PICTURES=docs/devices`."""


def a_day_of_mail(person):
    """Mail as people get it; the subjects."""
    text = (
        "Hi Alice,\n\nthe drawings are ready: https://example.org/drawings/42. Could you look at the second one before "
        "Thursday?\n\nThe roof is 20 cm higher than we said, because of the windows.\n\nAda"
    )
    pdf = "--b\nContent-Type: application/pdf; name=plan.pdf\nContent-Disposition: attachment\n\n" + "x" * 70_000
    html = "<h1>Plan</h1><p style='color:teal'>The drawings are <b>ready</b>.</p>"
    page = f"--b\nContent-Type: text/html; charset=utf-8\n\n{html}"
    both = "Content-Type: multipart/mixed; boundary=b\n"
    part = "--b\nContent-Type: text/plain; charset=utf-8\n\n"
    mails = [
        ("Backup finished: 214 GB, no errors", "All is well.", "Disk watch <cron@host.example>", ""),
        (HEBREW, "שלום, נפגשים במשרד. להביא את התוכניות בבקשה.", "שרה כהן <sara@example.net>", ""),
        (ARABIC, "مرحبًا، نلتقي في المكتب. أحضري الرسومات من فضلك.", "نور حداد <noor@example.net>", ""),
        (
            "Invoice 2026-1107",
            "Please find enclosed what we agreed on.",
            "Grace Hopper <grace@example.com>",
            "X-Priority: 1\n",
        ),
        ("Lunch on Friday?", "The place by the river has opened again.", "Tomás Ribeiro <tomas@example.org>", ""),
        ("The plan, with drawings", f"{part}{text}\n{page}\n{pdf}\n--b--", "Ada Lovelace <ada@example.org>", both),
    ]
    for subject, body, sender, headers in mails:
        person.mail(subject, body, sender=sender, headers=headers)
    return [subject for subject, *_ in mails]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_it_looks_good_and_nothing_serious_keeps_anybody_from_using_it(person, chromium, tmp_path, size, dark):
    theme, where = "dark" if dark else "light", "phone" if size == PHONE else "desk"
    folder = Path(PICTURES or tmp_path)
    size = (*size[:2], 1) if PICTURES else size  # which is small enough to be kept
    alone = chromium.open(person.url, size=size, dark=dark)
    alone.until("return document.querySelector('#link')")
    looked_at(alone, tmp_path / "welcome.png")
    alone.close()
    tab = chromium.open(person.link, size=size, dark=dark, touch=where == "phone")
    tab.is_connected()
    tab.shows(*a_day_of_mail(person))
    looked_at(tab, folder / f"web-{where}-list-{theme}.png")
    tab.click(".row .mail")
    tab.until("return ['.text > p', '.files li', '.switch'].every((each) => document.querySelector(each))")
    looked_at(tab, folder / f"web-{where}-mail-{theme}.png")
    tab.until(WORKS)
    tab.click(".switch .button:last-child")
    tab.until("return document.querySelector('iframe')")
    looked_at(tab, folder / f"web-{where}-page-{theme}.png")
    tab.run("location.hash = '#why'")
    tab.until("return document.querySelector('.checks')?.textContent.includes('Nothing rings while')")
    looked_at(tab, folder / f"web-{where}-why-{theme}.png")


def looked_at(tab, picture):
    tab.ask("shot", path=str(picture))
    assert tab.run(FITS), picture.name
    serious = [each for each in tab.ask("axe") if each["impact"] in {"serious", "critical"}]
    assert not serious, picture.name


def test_a_browser_would_install_it(paired):
    paired.until(WORKS)
    missing = paired.ask("cdp", method="Page.getInstallabilityErrors")["installabilityErrors"]
    assert [each["errorId"] for each in missing] == ["in-incognito"], "as windows of the tests are"
    assert paired.ask("cdp", method="Page.getAppManifest")["errors"] == []


@pytest.mark.parametrize("width", [320, 360, 768, 900, 1600])
def test_it_fits(person, chromium, width):
    person.mail(
        "a-word-that-does-not-end-" * 12, "x" * 3000, sender=f"{'Wolfeschlegelstein' * 8} <{'a' * 60}@example.org>"
    )
    tab = chromium.open(person.link, size=(width, 700))
    tab.until("return document.querySelector('.row')")
    assert tab.run(FITS)
    tab.run("document.querySelector('.row .mail').click()")
    tab.until("return document.querySelector('.text > p')")
    assert tab.run(FITS)


def test_text_runs_from_its_own_side(person, paired):
    person.mail(ARABIC, "مرحبًا", sender="نور <noor@example.net>")
    person.mail(HEBREW + " abc", "שלום", sender="שרה <sara@example.net>")
    person.mail("Left to right")
    paired.shows(ARABIC, HEBREW + " abc", "Left to right")
    sides = "return [...document.querySelectorAll('.row .subject')].map((each) => getComputedStyle(each).direction)"
    assert paired.run(sides) == ["ltr", "rtl", "rtl"]
    paired.run("document.documentElement.dir = 'rtl'")
    at = "document.querySelector('{}').getBoundingClientRect().x"
    mirrored = paired.run(f"return {at.format('.face')} > {at.format('.row .first time')}")
    assert mirrored
    assert paired.run(FITS)


def test_it_is_used_by_keys_alone(person, paired):
    subjects = ["one", "two", "three"]
    for subject in subjects:
        person.mail(subject)
    paired.shows(*subjects)
    focused = "return document.activeElement.closest('.row')?.querySelector('.subject').textContent"
    paired.press("j")
    assert paired.run(focused) == "three"
    paired.press("j", "ArrowDown", "k")
    assert paired.run(focused) == "two"
    paired.press("Enter")
    paired.until("return document.activeElement.tagName === 'H1' && document.activeElement.textContent === 'two'")
    paired.press("Escape")
    paired.until(f"return (() => {{ {focused} }})() === 'two'")
    paired.press("e")
    paired.shows("one", "three")
    paired.until(f"return (() => {{ {focused} }})() === 'one'")
    paired.press("z")
    paired.shows(*subjects)
    paired.press("/")
    paired.ask("type", selector="input[type=search]", text="thr")
    paired.shows("three")
    paired.press("ArrowDown")
    assert paired.run(focused) == "three"
    paired.press("/", "Escape")
    paired.shows(*subjects)
    for _ in range(30):  # the rest is reached by Tab
        paired.press("Tab")
        if paired.run("return document.activeElement.className === 'state ' + 'online '"):
            break
    paired.press("Enter")
    paired.until("return document.activeElement.id === 'why'")


def test_new_mail_is_spoken(person, paired):
    person.mail("Plan")
    paired.until("return document.getElementById('spoken').textContent === 'New mail from Ada: Plan'")


def test_a_first_visit_has_less_than_sixty_kilobytes(person, chromium):
    tab = chromium.open(person.link)
    tab.is_connected()
    tab.until(WORKS)
    bytes_of = tab.run(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((each) => [each.name, each.encodedBodySize])"
    )
    assert len(bytes_of) >= 4
    assert sum(size for _, size in bytes_of) < 60_000, bytes_of


def test_the_page_is_installable(person, chromium):
    tab = chromium.open(person.link)
    tab.is_connected()
    tab.until(WORKS)
    found = tab.ask("cdp", method="Page.getInstallabilityErrors")
    assert [each["errorId"] for each in found["installabilityErrors"]] == ["in-incognito"], (
        "only that tests use such windows"
    )

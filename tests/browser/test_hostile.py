"""Names, subjects, files and HTML that want to be more than read: nobody is called, and nothing runs."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from tests.support.browser import WORKS
from tests.support.decoy import Decoy
from tests.support.waiting import until

RUNS = "globalThis.parent.hacked=globalThis.hacked=1"


def constructs(port):
    """Markup that fetches, connects, submits, moves on or runs, each against the decoy."""
    at = f"http://127.0.0.1:{port}"
    inner = base64.b64encode(f"<script>{RUNS}</script><img src='{at}/inner'>".encode()).decode()
    named = {"@AT@": at, "@RUNS@": RUNS, "@INNER@": inner, "@PORT@": str(port)}
    page = Path(__file__).with_name("hostile.html").read_text("utf-8")
    return re.sub("@[A-Z]+@", lambda found: named[found[0]], page)


def hostile_mails(person, port):
    """Each of them, in; how many."""
    at = f"http://127.0.0.1:{port}"
    tag = f"<img src={at}/header onerror={RUNS}>"
    words = base64.b64encode(f"{tag}\u202e\u200f".encode()).decode()
    boundary = "Content-Type: multipart/mixed; boundary=b\n"
    page = f"--b\nContent-Type: text/html; charset=utf-8\n\n{constructs(port)}\n"
    named = f'"{tag.replace("/", "%2F")}.html"'
    fields = f"Content-Type: text/html; name={named}\nContent-Disposition: attachment; filename={named}"
    file = f"--b\n{fields}\n\n{constructs(port)}\n"
    svg = f'--b\nContent-Type: image/svg+xml; name=a.svg\n\n<svg xmlns="http://www.w3.org/2000/svg" onload="{RUNS}"/>\n'
    person.mail(
        f"=?utf-8?b?{words}?=",
        f"{page}{file}{svg}--b--",
        sender=f"=?utf-8?b?{words}?= <a@example.org>",
        headers=boundary,
    )
    person.mail(
        f"javascript:{RUNS}",
        f"{tag} javascript:{RUNS} {at}/text <script>{RUNS}</script>",
        sender=f'"{tag}" <b@example.org>',
    )
    return 2


def test_nothing_calls_out_and_nothing_runs(person, browser):
    with Decoy() as decoy:
        tab = browser.open(person.link)
        tab.is_connected()
        tab.until(WORKS)
        count = hostile_mails(person, decoy.port)
        tab.until(f"return document.querySelectorAll('.row').length === {count}")
        for number in range(count):
            tab.run(f"document.querySelectorAll('.row .mail')[{number}].click()")
            tab.until("return document.querySelector('.text > p')")
        tab.until("return document.querySelector('.switch')")
        tab.click(".switch .button:last-child")
        tab.until("return document.querySelector('iframe')")
        tab.until("return document.querySelectorAll('.files li').length === 2")

        def framed():
            frames = tab.ask(
                "frames",
                script="getComputedStyle(document.querySelector('p')).color + origin + document.body.innerText",
            )
            return [each["is"] for each in frames if "/body/" in each["url"]]

        text = until(lambda: [each for each in framed() if each and "The end." in each], what="the page of the mail")[0]
        assert text.startswith("rgb(1, 2, 3)null"), "its looks are kept, its origin is nobody's"
        tab.ask("inside", selector="#js")
        for frame in tab.ask("frames", script="String(globalThis.hacked)"):
            assert frame["is"] == "undefined"
        assert tab.run("return document.querySelectorAll('.app img, .app script, .app iframe iframe').length") == 0
        tab.ask("inside", selector="#away")  # a person who follows a link is let out; into the frame nothing comes
        followed = [hit for hit in decoy.hits if hit.startswith(b"GET /away ")]
        assert [hit for hit in decoy.hits if hit and hit not in followed] == []
        assert b"Referer" not in b"".join(followed)
        before = len(decoy.hits)
        control = browser.open(
            "data:text/html," + json.dumps(f"<img src=http://127.0.0.1:{decoy.port}/control>").strip('"')
        )
        until(lambda: len(decoy.hits) > before, what="the decoy to be hit by a page without a policy")
        control.close()


def test_an_attachment_is_saved_and_never_shown_as_a_page(person, chromium):
    tab = chromium.open(person.link)
    tab.is_connected()
    body = "--b\nContent-Type: text/html; name=page.html\nContent-Disposition: attachment\n\n<script>x</script>\n--b--"
    person.mail("a page", body, headers="Content-Type: multipart/mixed; boundary=b\n")
    tab.shows("a page")
    tab.click(".row .mail")
    tab.until("return document.querySelector('.files .name')?.textContent === 'page.html'")
    tab.run("""
      globalThis.saved = [];
      HTMLAnchorElement.prototype.click = function () { globalThis.saved.push([this.download, this.href]); };
    """)
    tab.click(".files .round")
    name, url = tab.until("return globalThis.saved[0]")
    assert name == "page.html"
    assert (
        tab.run(
            f"const got = await (await fetch('{url}').catch(() => null))?.blob(); return got ? got.type : 'refused'"
        )
        == "refused"
    )

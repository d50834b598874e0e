"""Names, subjects, files and HTML that want to be more than read: nobody is called, and nothing runs."""

from __future__ import annotations

import base64
import json

from tests.support.decoy import Decoy
from tests.support.waiting import until

RUNS = "globalThis.parent.hacked=globalThis.hacked=1"


def constructs(port):
    """Markup that fetches, connects, submits, moves on or runs, each against the decoy."""
    at = f"http://127.0.0.1:{port}"
    inner = base64.b64encode(f"<script>{RUNS}</script><img src='{at}/inner'>".encode()).decode()
    return f"""<!doctype html><html manifest="{at}/manifest"><head>
<base href="{at}/base/"><meta http-equiv="refresh" content="0;url={at}/refresh">
<meta http-equiv="Content-Security-Policy" content="default-src * 'unsafe-inline'">
<meta http-equiv="Link" content="<{at}/metalink>; rel=preconnect"><meta http-equiv="x-dns-prefetch-control" content="on">
<link rel="stylesheet" href="{at}/style"><link rel="preload" as="image" href="{at}/preload"><link rel="prefetch" href="{at}/prefetch">
<link rel="preconnect" href="{at}"><link rel="dns-prefetch" href="//decoy.localhost:{port}"><link rel="icon" href="{at}/icon">
<link rel="modulepreload" href="{at}/module"><link rel="prerender" href="{at}/prerender"><link rel="manifest" href="{at}/m">
<script type="speculationrules">{{"prefetch":[{{"source":"list","urls":["{at}/speculation"]}}]}}</script>
<style>@import "{at}/import"; body {{ background: url({at}/background); cursor: url({at}/cursor), auto; }}
@font-face {{ font-family: f; src: url({at}/font); }} p {{ font-family: f; list-style: url({at}/list); border-image: url({at}/border); }}
p::before {{ content: url({at}/content); }} p {{ filter: url({at}/filter#f); mask: url({at}/mask); }}</style>
<script>{RUNS}</script><script src="{at}/script"></script><script type="module">{RUNS}; import("{at}/dynamic")</script></head>
<body onload="{RUNS}" background="{at}/body"><p style="color: rgb(1, 2, 3); background: url({at}/inline)">What it looks like</p>
<img src="{at}/img" srcset="{at}/srcset 2x" onerror="{RUNS}"><img src=x: onerror="{RUNS}"><img src="{at}/lazy" loading="lazy">
<picture><source srcset="{at}/source"><img></picture><input type="image" src="{at}/input" autofocus onfocus="{RUNS}">
<video src="{at}/video" poster="{at}/poster" autoplay></video><audio src="{at}/audio" autoplay></audio>
<video><track default src="{at}/track"></video><svg onload="{RUNS}"><image href="{at}/svg" /><use href="{at}/use#a" />
<script>{RUNS}</script><animate attributeName="href" values="javascript:{RUNS}" /><foreignObject><img src="{at}/foreign"></foreignObject></svg>
<math><maction actiontype="statusline" xlink:href="javascript:{RUNS}">m</maction></math>
<iframe src="{at}/iframe"></iframe><iframe srcdoc="<script>{RUNS}</script><img src='{at}/srcdoc'>"></iframe>
<iframe src="data:text/html;base64,{inner}"></iframe><iframe src="javascript:{RUNS}"></iframe>
<object data="{at}/object"></object><embed src="{at}/embed"><applet code="{at}/applet"></applet><frameset><frame src="{at}/frame"></frameset>
<form action="{at}/form" method="post"><button autofocus>Send</button></form><isindex action="{at}/isindex">
<table background="{at}/table"><tr><td background="{at}/cell">cell</td></tr></table><body background="{at}/body2">
<a id="away" href="{at}/away" ping="{at}/ping" target="_self">away</a><a id="js" href="javascript:{RUNS}">run</a>
<details open ontoggle="{RUNS}"><summary>s</summary></details><marquee onstart="{RUNS}">m</marquee>
<noscript><img src="{at}/noscript"></noscript><template shadowrootmode="open"><img src="{at}/shadow"><script>{RUNS}</script></template>
<style><img src="</style><img src={at}/mutated onerror={RUNS}>"></style>
<xml id="x"><img src="{at}/xml"></xml><p>The end.</p></body></html>"""


def hostile_mails(site, port):
    """Each of them, in; how many."""
    at = f"http://127.0.0.1:{port}"
    tag = f"<img src={at}/header onerror={RUNS}>"
    words = base64.b64encode(f"{tag}‮‏".encode()).decode()
    boundary = "Content-Type: multipart/mixed; boundary=b\n"
    page = f"--b\nContent-Type: text/html; charset=utf-8\n\n{constructs(port)}\n"
    named = f'"{tag.replace("/", "%2F")}.html"'
    file = f"--b\nContent-Type: text/html; name={named}\nContent-Disposition: attachment; filename={named}\n\n{constructs(port)}\n"
    svg = f'--b\nContent-Type: image/svg+xml; name=a.svg\n\n<svg xmlns="http://www.w3.org/2000/svg" onload="{RUNS}"/>\n'
    site.mail(f"=?utf-8?b?{words}?=", f"{page}{file}{svg}--b--", sender=f"=?utf-8?b?{words}?= <a@example.org>", headers=boundary)
    site.mail(f"javascript:{RUNS}", f"{tag} javascript:{RUNS} {at}/text <script>{RUNS}</script>", sender=f'"{tag}" <b@example.org>')
    return 2


def test_nothing_calls_out_and_nothing_runs(site, browser):
    with Decoy() as decoy:
        tab = browser.open(site.link)
        tab.is_connected()
        tab.until("return (await navigator.serviceWorker.ready).active.state === 'activated'")
        count = hostile_mails(site, decoy.port)
        tab.until(f"return document.querySelectorAll('.row').length === {count}")
        for number in range(count):
            tab.run(f"document.querySelectorAll('.row .mail')[{number}].click()")
            tab.until("return document.querySelector('.text p')")
        tab.until("return document.querySelector('.switch')")
        tab.click(".switch .button:last-child")
        tab.until("return document.querySelector('iframe')")
        tab.until("return document.querySelectorAll('.files li').length === 2")

        def framed():
            frames = tab.ask("frames", script="getComputedStyle(document.querySelector('p')).color + origin + document.body.innerText")
            return [each["is"] for each in frames if "/body/" in each["url"]]

        text = until(lambda: [each for each in framed() if each and "The end." in each], what="the page of the mail")[0]
        assert text.startswith("rgb(1, 2, 3)null"), "its looks are kept, its origin is nobody's"
        tab.ask("inside", selector="#away")  # a person who follows a link is let out; into the frame nothing comes
        tab.ask("inside", selector="#js")
        for frame in tab.ask("frames", script="String(globalThis.hacked)"):
            assert frame["is"] == "undefined"
        assert tab.run("return document.querySelectorAll('.app img, .app script, .app iframe iframe').length") == 0
        followed = [hit for hit in decoy.hits if hit.startswith(b"GET /away ")]
        assert [hit for hit in decoy.hits if hit and hit not in followed] == []
        assert b"Referer" not in b"".join(followed)
        before = len(decoy.hits)
        control = browser.open("data:text/html," + json.dumps(f"<img src=http://127.0.0.1:{decoy.port}/control>").strip('"'))
        until(lambda: len(decoy.hits) > before, what="the decoy to be hit by a page without a policy")
        control.close()


def test_an_attachment_is_saved_and_never_shown_as_a_page(site, chromium):
    tab = chromium.open(site.link)
    tab.is_connected()
    body = "--b\nContent-Type: text/html; name=page.html\nContent-Disposition: attachment\n\n<script>x</script>\n--b--"
    site.mail("a page", body, headers="Content-Type: multipart/mixed; boundary=b\n")
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
    assert tab.run(f"const got = await (await fetch('{url}').catch(() => null))?.blob(); return got ? got.type : 'refused'") == "refused"

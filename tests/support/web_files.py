"""What is written into the web client from its own files: which files it has, their version, what to load ahead.

    python -m tests.support.web_files

`make map` runs it; a test compares.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "clients" / "web"
WORKER, PAGE = WEB / "sw.js", WEB / "index.html"
_PRELOADS = re.compile(r"(<!-- modulepreload: [^\n]*-->\n).*?(<!-- /modulepreload -->)", re.DOTALL)
_VERSION = re.compile(r'^const VERSION = "[0-9a-f]*";$', re.MULTILINE)
_FILES = re.compile(r"^const FILES = \[.*?\];$", re.MULTILINE | re.DOTALL)


def modules() -> list[str]:
    """The modules of the page, as it names them."""
    return sorted(path.relative_to(WEB).as_posix() for path in WEB.rglob("*.js") if path != WORKER)


def kept() -> list[str]:
    """What the service worker keeps: `./` is the page itself."""
    others = ["app.css", "icon.svg", "manifest.webmanifest"]
    return ["./", *others, *modules()]


def page() -> str:
    """index.html as it should be."""
    lines = "".join(f'<link rel="modulepreload" href="{each}">\n' for each in modules())
    return _PRELOADS.sub(lambda found: found[1] + lines + found[2], PAGE.read_text("utf-8"))


def worker() -> str:
    """sw.js as it should be; its version changes with each octet of each file that it keeps, and with its own."""
    files = "const FILES = [\n" + "".join(f"  {json.dumps(each)},\n" for each in kept()) + "];"
    text = _FILES.sub(lambda _: files, WORKER.read_text("utf-8"))
    digest = hashlib.sha256(_VERSION.sub("", text).encode())
    digest.update(page().encode())
    for each in kept()[1:]:
        digest.update((WEB / each).read_bytes())
    return _VERSION.sub(f'const VERSION = "{digest.hexdigest()[:16]}";', text)


def first_visit() -> int:
    """The bytes of a first visit, compressed as servers do it (gzip, each file for itself)."""
    files = [PAGE, WORKER, *(WEB / each for each in kept()[1:])]
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    WORKER.write_text(worker(), "utf-8")

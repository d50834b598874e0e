"""What is written into the web client from its own files: its modules as one, and which files its service worker keeps.

    python -m tests.support.web_files

`make map` runs it; a test compares. The modules are what is read and changed; a browser gets one file, for six cost
a mobile network half a second (docs/decisions/0052-the-web-client.md).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "clients" / "web"
WORKER, PAGE, WHOLE = WEB / "sw.js", WEB / "index.html", WEB / "postbell.js"
BEGIN = ("arrival.js", "app.js")
"""What the page runs, in this order; the rest is what they import."""
_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))(.*)$", re.MULTILINE)
_ALSO = re.compile(r", ([A-Z_]+) = ")
_LINE_COMMENT = re.compile(r"^ *//[^\n]*\n", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"^ */\*\*.*?\*/\n", re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r'^const VERSION = "[0-9a-f]*";$', re.MULTILINE)
_FILES = re.compile(r"^const FILES = \[.*?\];$", re.MULTILINE | re.DOTALL)


def modules() -> list[str]:
    """The modules of the page in the order in which they run, as a browser that loads them one by one has it."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        for _, imported in _IMPORT.findall((WEB / name).read_text("utf-8")):
            visit(_resolved(name, imported))
        order.append(name)

    for name in BEGIN:
        visit(name)
    return order


def whole() -> str:
    """All modules in one, each in a function of its own that returns what it exports."""
    head = "// The modules of this folder in one, without their comments: change them, and `make map` writes this.\n"
    return head + "".join(_wrapped(name) for name in modules())


def kept() -> list[str]:
    """What the service worker keeps: `./` is the page itself."""
    return ["./", "app.css", "icon.svg", "manifest.webmanifest", "postbell.js"]


def worker() -> str:
    """sw.js as it should be; its version changes with each octet of each file that it keeps, and with its own."""
    text = _FILES.sub(lambda _: f"const FILES = {json.dumps(kept())};", WORKER.read_text("utf-8"))
    digest = hashlib.sha256(_VERSION.sub("", text).encode())
    digest.update(PAGE.read_bytes())
    digest.update(whole().encode())
    for each in kept()[1:-1]:
        digest.update((WEB / each).read_bytes())
    return _VERSION.sub(f'const VERSION = "{digest.hexdigest()[:16]}";', text)


def first_visit() -> int:
    """The bytes of a first visit, compressed as servers do it (gzip, each file for itself)."""
    files = [PAGE, WORKER, *(WEB / each for each in kept()[1:])]
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)


def _resolved(name: str, imported: str) -> str:
    return (WEB / name).parent.joinpath(imported).resolve().relative_to(WEB).as_posix()


def _variable(name: str) -> str:
    return "$" + name.removesuffix(".js").replace("/", "_")


def _wrapped(name: str) -> str:
    text = (WEB / name).read_text("utf-8")
    exported = [each for found in _EXPORT.finditer(text) for each in (found[1], *_ALSO.findall(found[2]))]
    text = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = {_variable(_resolved(name, found[2]))};\n", text)
    text = _BLOCK_COMMENT.sub("", _LINE_COMMENT.sub("", _EXPORT.sub(r"\2", text))).strip("\n")
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE), f"{name}: an import or export of another form"
    result = f"return {{ {', '.join(exported)} }};\n" if exported else ""
    return f"const {_variable(name)} = (() => {{\n{text}\n{result}}})();\n"


if __name__ == "__main__":
    WHOLE.write_text(whole(), "utf-8")
    WORKER.write_text(worker(), "utf-8")

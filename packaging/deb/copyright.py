"""Writes Debian's copyright file: ours, and that of each library in the environment that is given.

Run it as `python packaging/deb/copyright.py …/site-packages`.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Postbell
Comment: The package has the Python libraries that Postbell needs, in the versions
 that it is tested with. Each of them brings its own licence.

Files: *
Copyright: The Postbell developers
License: MIT
"""

CONDITIONS = "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"
APACHE = "On Debian systems the text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0."


def entries(site: Path) -> Iterator[str]:
    """A paragraph for each library, by its name."""
    found = sorted(distributions(path=[str(site)]), key=lambda each: each.name.lower())
    for library in found:
        if library.name.lower() != "postbell":
            yield _entry(library, site.name)


def _entry(library: Distribution, folder: str) -> str:
    meta = library.metadata
    tops = sorted({file.parts[0] for file in library.files or () if file.parts[0] not in {"..", "__pycache__"}})
    files = "\n ".join(
        f"usr/lib/postbell/*/{folder}/{top}{'' if '.' in top else '/*'}" for top in tops if ".dist-info" not in top
    )
    author = (
        meta.get("Author")
        or meta.get("Author-email")
        or meta.get("Maintainer-email")
        or f"the authors of {library.name}"
    )
    texts = [file.read_text() for file in library.files or () if _is_licence(file.name) and ".dist-info" in str(file)]
    name = _named(meta.get("License-Expression"), meta.get("License"), meta.get_all("Classifier") or [])
    full = "\n".join(APACHE if "Apache License" in text and CONDITIONS in text else text for text in texts) or name
    body = "\n".join(f" {line.rstrip()}" if line.strip() else " ." for line in full.strip().splitlines())
    return (
        f"\nFiles: {files or '*' + library.name + '*'}\nCopyright: {' '.join(author.split())}\n"
        f"License: {library.name}\n Licence: {name}\n .\n{body}\n"
    )


def _is_licence(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE"))


def _named(expression: str | None, licence: str | None, classifiers: list[str]) -> str:
    """What the licence is called: in one line, of what a library says of it in one of three ways."""
    of_classifiers = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    short = licence if licence and "\n" not in licence else ""
    return expression or short or ", ".join(of_classifiers) or "see below"


if __name__ == "__main__":
    licence = Path(__file__).resolve().parents[2].joinpath("LICENSE").read_text(encoding="utf-8")
    ours = "\n".join(f" {line}" if line.strip() else " ." for line in licence.strip().splitlines())
    print(HEAD + ours + "\n" + "".join(entries(Path(sys.argv[1]))), end="")  # noqa: T201 - this is what it is for

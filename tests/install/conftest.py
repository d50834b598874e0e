"""A mail server that is there before Postbell is, and what `git clone` finds."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.install.server import SETTLED, Server
from tests.support import debian
from tests.support.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The system before anything of Postbell is on it."""
    wanted = ("postfix", "mosquitto-clients", "man-db", "less", "openssl")
    made = debian.base(tmp_path_factory.mktemp("base"), *wanted)
    subprocess.run(["chroot", made, "sh", "-e", "-x"], input=SETTLED.encode(), check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `git clone` clones: this tree as it is now, committed."""
    tree = tmp_path_factory.mktemp("origin") / "postbell"
    git = need("git")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    person = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*person, "commit", "-qm", "as it is now"]):
        subprocess.run([git, "-C", tree, *words], check=True)
    return tree


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is once a test has made it, here or in another worker."""
    here = tmp_path_factory.getbasetemp()
    return (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / "postbell.deb"


@pytest.fixture
def server(base: Path, origin: Path, kept: Path, tmp_path: Path) -> Iterator[Server]:
    """A machine of its own for one test."""
    with debian.booted(base, {origin: "/srv/postbell"}, shared=tmp_path) as machine:
        yield Server(machine, tmp_path, kept)

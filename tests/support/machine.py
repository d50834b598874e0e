"""A system of its own for programs that cannot be installed side by side with this one's."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
FETCH = ("apt-get", "-y", "-q", "--download-only", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=50")


def run(*command: str | Path, **options: Any) -> str:
    """Run a program to its end; what it printed. Raises CalledProcessError with all it said in a note."""
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, **options)
    if done.returncode:
        failure = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        failure.add_note((done.stdout + done.stderr).decode(errors="replace"))
        raise failure
    return done.stdout.decode(errors="replace")


class Machine:
    """A system of its own with more packages: this one under an overlay, all its processes, our network or its own.

    What is installed, written and started in it is gone with it, except in the directory that it shares.
    """

    SCRIPT = """set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
for package in "$2"/*.deb; do
    [ -e "$package" ] || continue # all of them are installed
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$1/root"
done
mount --rbind /dev "$1/root/dev"
mount --bind "$3" "$1/root$3"
mount -t proc proc "$1/root/proc"
exec chroot "$1/root" sh -c 'ldconfig && echo ready && exec cat'
"""

    def __init__(self, shared: Path, packages: Path, *, own_network: bool = False) -> None:
        mount = shared / "machine"
        mount.mkdir()
        self._spaces = ("--mount", "--pid", *(["--net"] if own_network else []))
        self._holder = subprocess.Popen(
            ["unshare", *self._spaces, "--fork", "--kill-child",
             "sh", "-c", self.SCRIPT, "sh", mount, packages, shared],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        if said != b"ready\n":
            self.close()
            pytest.skip(f"cannot make a system of its own for the test: {said.decode()}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self._init = children.read_text().split()[0]
        if own_network:
            self.run("ip", "link", "set", "lo", "up")

    @property
    def entering(self) -> tuple[str, ...]:
        """The words before a command that have it run in here."""
        return ("nsenter", "--target", self._init, *self._spaces, "--root", "env", "--chdir=/")

    def run(self, *command: str | Path, **options: object) -> str:
        """Run a program in it, as `run` does outside."""
        return run(*self.entering, *command, **options)

    def write(self, path: str, text: str) -> None:
        """Write a file in it."""
        self.run("mkdir", "-p", str(Path(path).parent))
        self.run("tee", path, input=text.encode())

    def follow(self, script: str, *, reload: bool = False) -> None:
        """Run a script in it, as root would; without its last line when there is no running server to reload."""
        if not reload:
            script = "\n".join(script.splitlines()[:-1])
        self.run("sh", "-e", "-x", input=script.encode())

    def add_user(self, name: str, *options: str) -> None:
        """Make sure of a system user with a group of the same name: packages are unpacked, not installed."""
        try:
            self.run("id", name)
        except subprocess.CalledProcessError:
            self.run("useradd", "--system", "--user-group", *options, name)

    def clear(self, path: str) -> None:
        """Begin with an empty folder, whatever the packages or this system have in it."""
        self.run("rm", "-rf", path)
        self.run("mkdir", "-p", path)

    def close(self) -> None:
        """End all its processes and forget all its files."""
        self._holder.kill()
        self._holder.communicate()


@contextlib.contextmanager
def machine(shared: Path, cache: Path, *packages: str, own_network: bool = False) -> Iterator[Machine]:
    """A machine with Debian packages and all that they depend on.

    What this system lacks of them is fetched once into the cache; nothing is configured.
    """
    lacking = zlib.crc32(run("dpkg-query", "--show").encode())  # what is lacking follows from what is there
    folder = cache / f"{'-'.join(packages)}-{lacking:08x}"
    if not folder.is_dir():
        scratch = cache / f"new-{os.getpid()}"
        (scratch / "partial").mkdir(parents=True)
        try:
            run(*FETCH, "-o", f"Dir::Cache::archives={scratch}", "install", *packages)
            scratch.rename(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            if not folder.is_dir():  # by another worker, meanwhile
                pytest.skip(f"needs the packages {' '.join(packages)}: {error}")
    made = Machine(shared, folder, own_network=own_network)
    try:
        yield made
    finally:
        made.close()

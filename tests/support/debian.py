"""A Debian of one's own that booted: systemd runs its units, and what happens in it stays in it.

debootstrap makes the system, systemd-nspawn boots it under an overlay, slirp4netns gives it a way out to the
packages' mirrors and none in. It takes what this machine needs to reach them: its mirror, its settings of apt and
pip, its certificate authorities.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SUITE = "bookworm"
PATIENCE_S = 600
CGROUPS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd")]
HERE = r"file:|find-links"
"""What in pip's settings names folders of this machine."""
ENVIRONMENT = re.compile(r"(?:PIP|SSL|REQUESTS|CURL|GIT_SSL|UV)_\w+|(?:https?|no)_proxy", re.IGNORECASE)
ANSWERS = """APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
"""
"""Who is asked by apt says yes; what is only recommended would take a hundred megabytes more."""
BOOT = """set -e
while [ "$1" != -- ]; do
    mkdir -p "$1"
    echo 0 >"$1/cgroup.procs" # systemd is to have a tree of its own there
    shift
done
shift
mount -t tmpfs none "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o lowerdir="$1",upperdir="$2/upper",workdir="$2/work" "$2/root"
shift 2
exec "$@"
"""


class Debian:
    """One that runs. Who asks is `op`, who may sudo; or root."""

    def __init__(self, base: Path, scratch: Path, *, binds: Mapping[Path, str], shared: Path) -> None:
        self._cgroups = [each / f"postbell-{scratch.name}" for each in CGROUPS if (each / "cgroup.procs").exists()]
        mount = scratch / "mount"
        mount.mkdir()
        self.log = scratch / "boot.log"
        command: list[str | Path] = [
            "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
            "sh", "-c", BOOT, "sh", *self._cgroups, "--", base, mount,
            "systemd-nspawn", f"--directory={mount}/root", "--boot", "--private-network", "--register=no",
            "--keep-unit", "--machine=mail", "--hostname=mail", "--console=pipe", "--resolv-conf=off",
            f"--bind={shared}:/srv/shared", *(f"--bind-ro={here}:{there}" for here, there in binds.items()),
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self._boot = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._init = until(self._booted, what="systemd to begin")
            self._network = subprocess.Popen(
                [need("slirp4netns"), "--configure", "--disable-host-loopback", self._init, "tap0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            until(self._up, what="the system to be up")
        except BaseException:
            self.close()
            raise

    def _booted(self) -> str:
        """The pid of its systemd, seen from here; empty while there is none."""
        assert self._boot.poll() is None, self.log.read_text(errors="replace")
        pid = str(self._boot.pid)
        with contextlib.suppress(OSError):  # what prepares the boot comes and goes
            while pid:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
                if Path(command.decode()).name in {"systemd", "init"}:
                    return pid
                pid = Path(f"/proc/{pid}/task/{pid}/children").read_text().partition(" ")[0]
        return ""

    def _up(self) -> bool:
        entered = ["nsenter", "--target", self._init, "--all", "systemctl", "is-system-running"]
        said = subprocess.run(entered, capture_output=True, text=True, check=False).stdout.strip()
        return said in {"running", "degraded"}

    def run(self, line: str, *, user: str = "op", check: bool = True, feed: str | None = None) -> str:
        """A line in the shell of a fresh login; what it printed on both. Fails with all of it."""
        entered = ["nsenter", "--target", self._init, "--all", "su", "-", user, "-c", line]
        done = subprocess.run(
            entered,
            input=None if feed is None else feed.encode(),
            stdin=subprocess.DEVNULL if feed is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0 or not check, f"{line}\nended with {done.returncode}:\n{said[-4000:]}"
        return said

    def start(self, line: str, *, output: Path, user: str = "op") -> subprocess.Popen[bytes]:
        """A line that goes on running, with its output in a file out here."""
        with output.open("wb") as stream:
            return subprocess.Popen(
                ["nsenter", "--target", self._init, "--all", "su", "-", user, "-c", line],
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        """Write a file as root."""
        self.run(f"mkdir -p $(dirname {path}) && cat > {path} && chmod {mode} {path}", user="root", feed=text)

    def close(self) -> None:
        """End all its processes and forget all its files."""
        for process in (getattr(self, "_network", None), self._boot):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        until(self._tidied, what="the last of its processes to be gone")

    def _tidied(self) -> bool:
        """Whether its control groups are gone; the kernel keeps those of a process that is still at its end."""
        for each in self._cgroups:
            for folder, _, _ in os.walk(each, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        return not any(each.exists() for each in self._cgroups)


def base(folder: Path, *packages: str, suite: str = SUITE) -> Path:
    """A system made by debootstrap, with these packages and a user `op`; skips where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make a system of its own")
    for program in ("systemd-nspawn", "slirp4netns", "unshare", "nsenter"):
        need(program)
    made = bootstrapped(folder, suite, "systemd", "systemd-sysv", "sudo", "ca-certificates", "dbus", *packages)
    _settle(made)
    return made


def bootstrapped(folder: Path, suite: str, *packages: str) -> Path:
    """A root with these packages, that reaches what this machine reaches, over its network."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make a system of its own")
    made = folder / suite
    hasty = made / "etc/dpkg/dpkg.cfg.d/hasty"
    hasty.parent.mkdir(parents=True)
    hasty.write_text("force-unsafe-io\n")  # what a crash would cost is made anew
    alone = ["unshare", "--mount"]  # what it mounts there is gone with it, also when it is killed
    wanted = ["--variant=minbase", f"--include={','.join(packages)}"]
    done = subprocess.run(
        [*alone, need("debootstrap"), *wanted, suite, made, _mirror()],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    _lend(made, suite)
    return made


def borrowed() -> dict[str, str]:
    """The variables by which this machine's programs find packages and trust who has them."""
    given = {name: value for name, value in os.environ.items() if ENVIRONMENT.fullmatch(name)}
    return {name: value for name, value in given.items() if name != "PIP_FIND_LINKS" and "file:" not in value}


def _lend(root: Path, suite: str) -> None:
    """Have it reach what this machine reaches."""
    sources = f"deb {_mirror()} {suite} main\n"
    (root / "etc/apt/sources.list").write_text(sources)
    for part in Path("/etc/apt/apt.conf.d").iterdir():
        if re.search(r"Acquire|Proxy", text := part.read_text(errors="replace")) and "DPkg" not in text:
            shutil.copy(part, root / "etc/apt/apt.conf.d")
    (root / "etc/apt/apt.conf.d/99answers").write_text(ANSWERS)
    for settings in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf"):
        if settings.is_file():
            lines = settings.read_text().splitlines(keepends=True)
            (root / "etc/pip.conf").write_text("".join(line for line in lines if not re.search(HERE, line)))
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.is_file():
        shutil.copy(authorities, root / "etc/ssl/certs")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")


def _settle(root: Path) -> None:
    """Let `op` sudo, and look for names where the way out is."""
    variables = {"DEBIAN_FRONTEND": "noninteractive", **borrowed()}
    with (root / "etc/environment").open("a") as environment:
        environment.writelines(f'{name}="{value}"\n' for name, value in variables.items())
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")
    for command in (
        ["useradd", "--create-home", "--shell", "/bin/bash", "op"],
        ["systemctl", "mask", "systemd-resolved", "systemd-networkd", "apt-daily.timer", "apt-daily-upgrade.timer"],
    ):
        subprocess.run(["chroot", root, *command], check=True, capture_output=True)
    (root / "etc/hostname").write_text("mail\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 mail.example.org mail\n")
    (root / "etc/sudoers.d/op").write_text("op ALL=(ALL) NOPASSWD: ALL\n")


def _mirror() -> str:
    """Where this machine gets Debian's packages from."""
    for file in sorted(Path("/etc/apt").glob("sources.list*")) + sorted(Path("/etc/apt/sources.list.d").glob("*")):
        if file.is_file():
            found = re.search(
                r"^(?:URIs:|deb(?: \[.*\])?)\s+(\S+/debian/?)(?:\s|$)", file.read_text(), flags=re.MULTILINE
            )
            if found:
                return found[1]
    return "http://deb.debian.org/debian"


@contextlib.contextmanager
def booted(base: Path, binds: Mapping[Path, str], *, shared: Path) -> Iterator[Debian]:
    """A fresh one on a base, with folders of this machine to read, and one to share at /srv/shared."""
    scratch = Path(tempfile.mkdtemp(prefix="debian-"))
    try:
        machine = Debian(base, scratch, binds=binds, shared=shared)
        try:
            yield machine
        finally:
            machine.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

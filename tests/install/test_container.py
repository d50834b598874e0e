"""The container, without an engine: its files are linted, and its steps are done one by one in clean roots.

A stage begins with the distribution that it names, made by debootstrap; COPY, RUN, ENV and USER do what the Dockerfile
reference says of them. What comes out of it is started as compose.yaml has it: as its user, on a root that cannot be
written, without capabilities, in a network of its own.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import need
from tests.support import debian
from tests.support.machine import ROOT
from tests.support.waiting import until

FILE = ROOT / "Dockerfile"
CACHES = shutil.ignore_patterns("__pycache__")
SENDS = """From: Bob <bob@example.net>
Subject: Hello from next door

It works.
"""
RUNS = """set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1/var/lib/postbell"
mount -t tmpfs none "$1/tmp"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -o remount,bind,ro "$1"
ip link set lo up
echo ready
exec cat
"""


def instructions():
    """Each instruction with what follows it, lines that go on being one."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE)
    whole = re.sub(r"\\\n\s*", "", text)
    return [line.split(maxsplit=1) for line in whole.splitlines() if line.strip()]


@dataclass
class Stage:
    """One stage: its root, and what is known of it by now."""

    root: Path
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    folder: str = "/"
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def do(self, word, rest):
        match word:
            case "RUN":
                self.run(rest)
            case "WORKDIR":
                self.folder = rest
            case "ENV":
                self.environment |= dict(part.split("=", 1) for part in shlex.split(rest))
            case "USER":
                self.user = rest
            case "SHELL" | "ENTRYPOINT" | "CMD":
                setattr(self, word.lower(), json.loads(rest))
            case "HEALTHCHECK":
                self.health = json.loads(rest.partition(" CMD ")[2])
            case other:
                assert other in {"VOLUME", "EXPOSE", "STOPSIGNAL"}, f"{other} is not known here"

    def run(self, line):
        inside = {**debian.borrowed(), **self.environment, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            ["chroot", self.root, "env", "-i", f"--chdir={self.folder}", *(f"{k}={v}" for k, v in inside.items()),
             *self.shell, line],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout[-4000:]}"

    def copy(self, words, stages):
        origin = stages[words.pop(0).partition("=")[2]].root if words[0].startswith("--from=") else ROOT
        *sources, target = words
        there = self.root / target.lstrip("/")
        for source in sources:
            here = origin / source.lstrip("/")
            assert origin != ROOT or let_in(source), f"{source} is not let in by .dockerignore"
            if here.is_dir():
                shutil.copytree(
                    here, there, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                (there if target.endswith("/") else there.parent).mkdir(parents=True, exist_ok=True)
                shutil.copy(here, there)


def compose():
    """The one service of compose.yaml."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["postbell"]


def let_in(path):
    """Whether .dockerignore, in which all is left out that is not named, names a path or a folder above or below it."""
    named = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    return any(path == name or path.startswith(f"{name}/") or name.startswith(f"{path}/") for name in named)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The last stage, with all its steps done."""
    folder = tmp_path_factory.mktemp("image")
    stages, bases = {}, {}
    stage = None
    for word, rest in instructions():
        if word == "FROM":
            origin, _, name = rest.partition(" AS ")
            suite = origin.removeprefix("debian:").removesuffix("-slim")
            bases[suite] = bases.get(suite) or debian.bootstrapped(folder, suite, "ca-certificates")
            stage = stages[name] = Stage(folder / f"stage-{name}")
            subprocess.run(["cp", "-a", "--reflink=auto", bases[suite], stage.root], check=True)
        elif word == "COPY":
            stage.copy(shlex.split(rest), stages)
        else:
            stage.do(word, rest)
    return stage


@pytest.fixture
def container(image, tmp_path):
    """Runs a command in the image as an engine would; the first is its own."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    uid, gid = map(int, image.user.split(":"))
    os.chown(state, uid, gid)
    holder = subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", RUNS, "sh", image.root, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"ready\n"
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
    pid = children.read_text().split()[0]

    def entered(*command):
        environment = {**image.environment, **compose()["environment"], "POSTBELL_LOG__FORMAT": "console"}
        return [
            "nsenter", "--target", pid, "--mount", "--net", "--pid", "chroot", image.root,
            "setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
            "env", "-i", "--chdir=/",
            *(f"{name}={value}" for name, value in environment.items()), *command,
        ]  # fmt: skip

    try:
        yield entered
    finally:
        holder.kill()
        holder.communicate()


def done(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_it_serves_as_compose_runs_it(image, container, tmp_path):
    assert image.user.split(":")[0] not in {"0", "root"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            container(*image.entrypoint, *image.cmd), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        until(lambda: done(container(*image.health)).returncode == 0, what="the container to be healthy")
        assert re.search(r"CapBnd:\s+0{16}\n", done(container("cat", "/proc/self/status")).stdout)
        assert done(container("sh", "-c", "echo > /etc/postbell/x")).returncode != 0, "its root can be written"
        added = done(container("postbell", "user", "add", "alice", "--address", "alice@example.org"))
        assert added.returncode == 0, added.stderr
        (tmp_path / "state" / "hello.eml").write_text(SENDS)
        sent = done(container("postbell", "send", "/var/lib/postbell/hello.eml", "--to", "alice@example.org"))
        assert sent.stdout.startswith("250 "), sent.stderr
        assert json.loads(done(container("postbell", "status", "--json")).stdout)["live"] == 1
        served = json.loads((tmp_path / "state" / "run" / "bridge.json").read_text())
        assert done(container("sh", "-c", f"kill -TERM {served['pid']}")).returncode == 0
        assert process.wait(30) == 0
        assert done(container(*image.health)).returncode == 1, "it is healthy when nothing runs"
    finally:
        process.kill()
        process.wait()


def test_the_image_is_small(image):
    """What is in it above the distribution: our environment, Python, certificates of authorities, time zones."""
    ours = done(["du", "-sm", image.root / "opt/postbell"]).stdout.split()[0]
    assert int(ours) < 160
    assert not [name for name in ("pip", "gcc", "apt-cache.bin") if (image.root / "opt/postbell/bin" / name).exists()]


def test_the_dockerfile_has_no_fault():
    found = done([need("hadolint"), FILE])
    assert (found.returncode, found.stdout) == (0, "")


def test_the_compose_file_is_one_and_gives_no_more_than_it_needs():
    checked = done([need("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"])
    assert checked.returncode == 0, checked.stdout
    service = compose()
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "state:/var/lib/postbell" in service["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "in the clear, for others to hear"


@pytest.mark.parametrize("script", ["packaging/wheel", "packaging/deb/build", "packaging/deb/postinst",
                                    "packaging/deb/prerm", "packaging/deb/postrm"])  # fmt: skip
def test_a_script_has_no_fault(script):
    found = done([need("shellcheck"), "--external-sources", ROOT / script])
    assert (found.returncode, found.stdout) == (0, "")

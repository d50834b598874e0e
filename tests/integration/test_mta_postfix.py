"""Postfix, set up by `postbell setup postfix`, in an instance of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.support.command_line import forked
from tests.support.machine import run
from tests.support.mta import MAIL, POSTFIX_SERVICES, Place, flushing, place, trial, waited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIN = """compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {log}
maillog_file_prefixes = {directory}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mta.example
mydestination = example.org
local_recipient_maps =
local_transport = discard:
default_transport = error:no mail leaves this test
alias_maps =
alias_database =
minimal_backoff_time = 1s
queue_run_delay = 2s
"""
MASTER = POSTFIX_SERVICES + "discard unix - - n - - discard\n"


class Postfix:
    """A running instance of Postfix."""

    def __init__(self, etc: Path) -> None:
        self.etc = etc

    def inject(self, mail: bytes, *to: str) -> None:
        run(need("sendmail"), "-C", self.etc, "-f", "bob@example.org", *to, input=mail)

    def queued(self) -> bool:
        return bool(run(need("postqueue"), "-c", self.etc, "-j").strip())

    def flush(self) -> None:
        run(need("postqueue"), "-c", self.etc, "-f")


@contextlib.contextmanager
def started(where: Place) -> Iterator[Postfix]:
    etc = where.directory / "etc"
    etc.mkdir()
    paths = {name: where.directory / name for name in ("queue", "data", "log")}
    (etc / "main.cf").write_text(MAIN.format(directory=where.directory, **paths))
    (etc / "master.cf").write_text(MASTER)
    paths["queue"].mkdir()
    run(need("postfix"), "-c", etc, "start")
    try:
        yield Postfix(etc)
    finally:
        run(need("postfix"), "-c", etc, "stop")


@pytest.mark.parametrize("over_tcp", [False, True], ids=["unix", "tcp"])
def test_postfix_hands_over_copies_and_keeps_them_while_postbell_is_down(over_tcp):
    with place(group="postfix") as where, started(where) as server:
        script = where.setup("postfix", "--directory", str(server.etc), over_tcp=over_tcp)
        run("sh", "-e", "-x", input=script.encode())
        asyncio.run(trial(server, where, over_tcp=over_tcp))


NOBODY = 65_534


def test_addresses_that_change_are_taken_up_at_once_and_nothing_has_to_be_reloaded():
    """As the user that Postbell runs as, who may write its own table and nothing else of Postfix's."""
    with place(group="postfix") as where, started(where) as server:
        state = where.database.parent
        for path in (state, *state.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        said = where.directory / "said.txt"
        said.touch()
        said.chmod(0o666)

        def command(*words, uid=NOBODY):
            listening = {"POSTBELL_LMTP__LISTEN": where.lmtp(over_tcp=False)}
            environment = {"POSTBELL_STATE_DIR": str(state), "PATH": "/usr/bin:/bin:/usr/sbin", **listening}
            ended = forked(words, directory=where.directory, environment=environment, uid=uid)
            assert ended.code == 0, ended.said
            return ended.said

        def change(*options):
            assert command("user", "change", "alice", *options) == "changed alice\n"

        run("sh", "-e", "-x", input=command("setup", "postfix", "--directory", str(server.etc)).encode())
        assert (server.etc / "postbell" / "copies").stat().st_uid == NOBODY

        async def come() -> None:
            async with where.postbell(), flushing(server):
                await waited(lambda: len(where.devices.mail) > 4, "the copies")
                await waited(lambda: not server.queued(), "an empty queue")

        server.inject(MAIL % b"before", "alice@example.org")  # so that a process of Postfix has read the table
        for name in ("new", "newer", "gone"):
            change("--address", f"{name}@example.org")
            server.inject(MAIL % b"to it", f"{name}+work@example.org" if name != "gone" else "newer@example.org")
        change("--remove-address", "gone@example.org")
        for name in ("gone", "alice"):
            server.inject(MAIL % b"then", f"{name}@example.org")
        asyncio.run(come())
        log = (where.directory / "log").read_text()
        assert "newer=example.org@postbell.invalid" in log
        assert "gone@example.org" in log
        assert "gone=example.org@postbell.invalid" not in log
        assert where.devices.mail == [
            ("alice", "", "before"),
            ("alice", "", "then"),
            ("alice", "", "to it"),
            ("alice", "work", "to it"),
            ("alice", "work", "to it"),
        ]


def test_what_postbell_may_write_makes_no_copies_but_its_own():
    with place(group="postfix") as where, started(where) as server:
        run("sh", "-e", "-x", input=where.setup("postfix", "--directory", str(server.etc)).encode())
        table = server.etc / "postbell" / "copies"
        ours = table.read_text()
        table.write_text("/^(.*)@example\\.org$/ stranger@example.net\n" + ours)

        maps = run(need("postconf"), "-c", server.etc, "-h", "recipient_bcc_maps").partition("}")[0] + "}"

        def copy_for(address):
            command = [need("postmap"), "-c", server.etc, "-q", address, maps]
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout

        assert copy_for("alice+x@example.org") == ""
        table.write_text(ours)
        assert copy_for("alice+x@example.org") == "alice+x=example.org@postbell.invalid\n"

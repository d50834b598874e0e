"""Postfix, set up by `postbell setup postfix`, in an instance of its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.support.machine import run
from tests.support.mta import POSTFIX_SERVICES, Place, place, trial

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

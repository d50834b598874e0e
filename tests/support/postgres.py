"""A real PostgreSQL on a directory of its own, and a fresh database for each test that wants one."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.waiting import free_port

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off # what is killed here are processes, and never the machine
max_connections = 200
shared_buffers = 64MB
log_line_prefix = '%m [%p] %a '
"""
_numbers = itertools.count(1)


def program(name: str) -> str:
    """The path of one of its programs, which Debian does not have on PATH; without it the test skips, naming it."""
    for place in PLACES:
        if (place / name).exists():
            return str(place / name)
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs the program {name} (PostgreSQL)")
    return found


class PostgresServer:
    """One server. `url(name)` is that of a database; its processes can be stopped, killed and started again."""

    def __init__(self, directory: Path, *, settings: str = "") -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = free_port()
        # It refuses to be root.
        self._as: dict[str, Any] = {"user": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.process: subprocess.Popen | None = None
        directory.chmod(0o755)
        if self._as:
            shutil.chown(directory, "postgres")
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS + settings + f"unix_socket_directories = '{directory}'\nport = {self.port}\n")

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [program(name), *arguments],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=120,
            **self._as,
        )

    def start(self) -> None:
        """Returns when it can be asked."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", str(self.data)], stdout=log, stderr=log, cwd="/", **self._as
            )
        for _ in range(900):
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.directory / "log").read_text(encoding="utf-8")
                self._wait()
            else:
                return
        pytest.fail("PostgreSQL does not answer")

    def _wait(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it in order, without waiting for its clients; SIGKILL is what it is."""
        self.process.send_signal(how)
        self.process.wait(90)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self):
        """The URL of an empty database for the length of the block."""
        name = f"t{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def server(*, settings: str = ""):
    """A server that runs for the length of the block, with more lines for its configuration."""
    program("postgres")
    directory = Path(tempfile.mkdtemp(prefix="postbell-pg-"))
    try:
        its = PostgresServer(directory, settings=settings)
        its.start()
        try:
            yield its
        finally:
            if its.process.poll() is None:
                its.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)

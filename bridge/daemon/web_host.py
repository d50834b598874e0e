"""The web server as a process of its own, kept running: it is handed the listening sockets, and asks for our pages.

The sockets stay ours, so that whoever comes while that process is started anew waits, and is served by the next one.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from bridge.config.endpoints import TcpAddress
from bridge.config.passing import judged
from bridge.daemon.child import STEADY_S, until_end
from bridge.http import channel, entrance, server
from bridge.http.opening import Opening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from bridge.http.channel import WebSettings
    from bridge.http.server import HttpSettings
    from bridge.publish.backoff import Backoff

CLEAR_CURE = "set http.tls_cert and http.tls_key; or http.proxies, if a web server in front has the certificate"


class WebHost:
    """Keeps the web server running, with the sockets of `settings`, and answers for `pages`.

    `told` is what it is told, and `answered` is told each status that went out and how often. `listening` is called
    when it has begun, and when that has to wait for the address.
    """

    def __init__(
        self,
        *,
        settings: HttpSettings,
        told: WebSettings,
        pages: Mapping[str, Callable[[], Awaitable[web.Response]]],
        answered: Callable[[int, int], None],
        listening: Callable[[], None],
        backoff: Backoff,
        jitter: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """Raises ConfigurationError when the certificate cannot be used."""
        self._settings = settings
        self._told = told
        self._pages = pages
        self._answered = answered
        self._listening = listening
        self._backoff = backoff
        self._jitter = jitter
        self._monotonic = monotonic
        self._encrypted = server.load_certificate(settings) is not None
        self._opening = Opening(settings.listen, preferred_port=settings.preferred_port, waiting=listening)
        self._channel: asyncio.StreamWriter | None = None
        self._log = structlog.get_logger()
        self.address: TcpAddress | None = None
        """Where it is reached, while it listens."""

    @property
    def awaited(self) -> str:
        """Why it does not listen yet, while it tries."""
        return self._opening.awaited

    def prepare(self, settings: HttpSettings, told: WebSettings) -> Callable[[], None]:
        """Get ready for other settings; what is returned has them hold for those who come from then on.

        Raises ConfigurationError when the certificate cannot be used; then nothing has changed.
        """
        server.load_certificate(settings)

        def use() -> None:
            self._told = told
            if self._channel is not None:
                self._channel.write(channel.line(settings=channel.packed(told)))

        return use

    async def run(self) -> None:
        """Keep it running until cancelled. Raises ConfigurationError when the address can never be used."""
        listeners = await self._opening.open()
        self.address = TcpAddress(self._settings.listen.host, listeners[0].getsockname()[1])
        self._log.info("http_listening", http=str(self.address), encrypted=self._encrypted)
        if self._is_in_the_clear():
            self._log.warning("web_in_the_clear", http=str(self.address), cure=CLEAR_CURE)
        self._listening()
        try:
            await self._keep(listeners)
        finally:
            self.address = None
            entrance.close(listeners)

    def _is_in_the_clear(self) -> bool:
        """Whether passwords may cross a network as they are: no certificate here, and no web server in front."""
        fronted = self._told.proxies or self._told.origin.startswith("https:")
        return not (self._encrypted or self._settings.listen.loopback or fronted)

    async def _keep(self, listeners: list[socket.socket]) -> None:
        attempt = 0
        while True:
            started_at = self._monotonic()
            try:
                code = await self._run_once(listeners)
            except OSError as error:
                program = f"the web server cannot be started: {sys.executable}: {error.strerror}"
                raise judged(error, f"{program}; install Postbell where this user may read it") from error
            attempt = 0 if self._monotonic() - started_at > STEADY_S else attempt + 1
            self._log.error("web_died", code=code, restarts=attempt)
            await asyncio.sleep(self._backoff.delay_s(attempt, jitter=self._jitter()))

    async def _run_once(self, listeners: list[socket.socket]) -> int:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await self._start(theirs, listeners)
            self._log.info("web_started", pid=process.pid)
            serving = asyncio.create_task(self._serve(ours), name="web-channel")
            try:
                return await until_end(process)
            finally:
                serving.cancel()
                await asyncio.wait({serving})
        finally:
            ours.close()

    async def _start(self, theirs: socket.socket, listeners: list[socket.socket]) -> asyncio.subprocess.Process:
        handed = [each.fileno() for each in listeners]
        # -P: it imports nothing from the directory that the bridge happens to stand in
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "bridge.web", "--channel", str(theirs.fileno())),
            *(f"--listen={descriptor}" for descriptor in handed),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), *handed),
            start_new_session=True,
        )

    async def _serve(self, ours: socket.socket) -> None:
        """Tell the settings, then answer until the other end is gone."""
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=channel.LONGEST)
        self._channel = writer
        try:
            writer.write(channel.line(settings=channel.packed(self._told)))
            async with asyncio.TaskGroup() as answers:
                with suppress(ConnectionError):
                    while line := await reader.readline():
                        message = json.loads(line)
                        if "answered" in message:
                            self._count(message["answered"])
                        else:
                            answers.create_task(self._answer(message, writer), name="web-page")
        finally:
            self._channel = None
            writer.close()

    def _count(self, answered: dict[str, int]) -> None:
        for status, count in answered.items():
            self._answered(int(status), count)

    async def _answer(self, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        response = await self._pages[message["path"]]()
        body = response.body
        assert isinstance(body, bytes)
        headers = {"Content-Type": response.headers["Content-Type"]}
        page = {"status": response.status, "headers": headers, "text": body.decode()}
        writer.write(channel.line(answer=message["ask"], page=page))

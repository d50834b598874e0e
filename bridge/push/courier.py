"""What carries a sealed message to a push service: HTTPS, to addresses that are allowed, and never elsewhere.

An endpoint is a stranger's word. Its host is resolved once, and the connection goes to one of the very addresses that
were judged; nothing that is answered leads to another place; and however long or much somebody answers, it takes a
moment and a few hundred bytes.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bridge.errors import in_words
from bridge.push.judging import ServiceAnswer
from bridge.push.letter import UndeliveredError

if TYPE_CHECKING:
    import ssl

    from bridge.push.allowing import Allowed
    from bridge.push.letter import PushLetter

DEADLINE_S: Final = 20.0
CONNECT_S: Final = 8.0
SAID_BYTES: Final = 512
RESOLVERS: Final = 8
"""Threads of our own, since a name server that hangs would else hold those that read mail."""
_GRANTED: Final = 256
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "it did not answer in time"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not for this name, or of no known authority"),
    (aiohttp.ClientConnectorDNSError, "its name has no address"),
    (aiohttp.ClientConnectorSSLError, "it speaks no TLS"),
    (aiohttp.ServerDisconnectedError, "it closed the connection"),
    (aiohttp.ClientPayloadError, "it closed the connection"),
    (aiohttp.ClientResponseError, "it does not speak HTTP as it should"),
)
"""The first that fits; what is none of them is an error of the system, which has words of its own."""


class ForbiddenError(OSError):
    """An address that nobody listed, and that only this machine or its neighbours can reach."""


class Courier:
    """Posts letters. `allowed` may be replaced at any time; `context` are the authorities that vouch for services.

    Made inside the running loop; `close` it.
    """

    def __init__(self, *, allowed: Allowed, context: ssl.SSLContext | None = None) -> None:
        self.allowed = allowed
        self._context = context
        self._resolving = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="push-resolver")
        self._granted: dict[str, None] = {}
        """Addresses of hosts that the operator listed by name."""
        self._session: aiohttp.ClientSession | None = None

    async def post(self, letter: PushLetter) -> ServiceAnswer:
        """What the push service answers, within DEADLINE_S; raises UndeliveredError."""
        session = self._session = self._session or self._open()
        try:
            async with session.post(
                URL(letter.endpoint, encoded=True), data=letter.body, headers=letter.fields, allow_redirects=False
            ) as response:
                said = await response.content.read(SAID_BYTES)
                fields = response.headers
                return ServiceAnswer(
                    response.status,
                    after=fields.get("Retry-After", ""),
                    date=fields.get("Date", ""),
                    said=said.decode("ascii", "replace"),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UndeliveredError(_why(error)) from error

    async def close(self) -> None:
        """End what goes on."""
        if self._session is not None:
            await self._session.close()
        self._resolving.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self),
            use_dns_cache=False,
            limit=0,
            ssl=self._context or True,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S, sock_connect=CONNECT_S),
            auto_decompress=False,  # nobody is to fill the memory
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host that are allowed; raises OSError, ForbiddenError when there is none of them."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._resolving, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        every = list(dict.fromkeys(str(each[4][0]) for each in found))
        fitting = self.allowed.of(host, every)
        if not fitting:
            raise ForbiddenError(_forbidden(host, every[0]))
        if self.allowed.names(host):
            if len(self._granted) > _GRANTED:
                self._granted.clear()
            self._granted.update(dict.fromkeys(fitting))
        return fitting

    def _socket(self, address: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
        """A socket for this address and no other: the last door, whatever way led to it."""
        family, kind, protocol, _, where = address
        place = str(where[0])
        if not (self.allowed.reaches(place) or self.allowed.names(place) or place in self._granted):
            raise ForbiddenError(_forbidden(place, place))
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    """Gives the connector addresses that are allowed, and none else."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See AbstractResolver; raises ForbiddenError where the name leads to an address that is not allowed."""
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._courier.addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _forbidden(host: str, address: str) -> str:
    where = address if host == address else f"{host} is {address}, and that"
    return f"{where} is no public address; push.allow does not list it"


def _why(error: Exception) -> str:
    """In our words, and none of a stranger's."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ForbiddenError):
        return str(cause)
    told = next((words for kind, words in _WORDS if isinstance(error, kind)), "")
    return told or (in_words(cause) if isinstance(cause, OSError) else "it could not be asked")

"""Who may hand in mail without a login, and whom PROXY is believed: decisions over addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config.endpoints import LOOPBACK, Networks, within


@dataclass(frozen=True, slots=True)
class Trust:
    """Networks that may hand in mail without a login, and load balancers that must send PROXY.

    The address of a peer on a UNIX socket is "": the socket's mode has let it in already. `any_login` says that who
    needs no login may log in as anybody, since it grants nothing.
    """

    networks: Networks = LOOPBACK
    proxies: Networks = ()
    any_login: bool = False

    def admits(self, address: str) -> bool:
        """Whether a peer may hand in mail without a login."""
        return not address or within(address, self.networks)

    def is_proxy(self, address: str) -> bool:
        """Whether a peer's connection begins with a PROXY header that names the real peer."""
        return bool(address) and within(address, self.proxies)

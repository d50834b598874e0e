"""The probe's mail: one that says what it is, handed in as a mail server would, over SMTP or LMTP."""

from __future__ import annotations

import smtplib
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from bridge.config.endpoints import TcpAddress
from bridge.directory import PROBE_DOMAIN
from bridge.doctor.look.knock import PROXY, connected

if TYPE_CHECKING:
    import socket

    from bridge.config.endpoints import Endpoint
    from bridge.doctor.look.deadline import TimeLeft

POST_S: Final = 3.0


def mail(address: str, token: str) -> bytes:
    """A probe mail; the subject has the token by which it is known on the device."""
    return (
        f"From: Postbell doctor <doctor@{PROBE_DOMAIN}>\r\n"
        f"To: <{address}>\r\n"
        f"Subject: {subject(token)}\r\n"
        f"Message-ID: <{token}@{PROBE_DOMAIN}>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "\r\n"
        "This mail was sent by postbell doctor to an account that is gone by now.\r\n"
    ).encode()


def subject(token: str) -> str:
    """What a probe mail with this token is called."""
    return f"Postbell doctor {token}"


def hand_in(
    listener: Endpoint, address: str, raw: bytes, *, patience: TimeLeft, lmtp: bool, proxy: bool = False
) -> tuple[bool, str]:
    """Whether the listener took the mail, and what it said; raises OutOfTimeError."""
    try:
        with closing(
            _Post(listener, patience, proxy=proxy)
        ) as post:  # its own end would hide that this process is to end
            code, said = post.lhlo() if lmtp else post.ehlo()
            if code == 250:
                code, said = post.mail("")
            if code == 250:
                code, said = post.rcpt(address)
            if code == 250:
                code, said = post.data(raw)
            with suppress(OSError, smtplib.SMTPException):
                post.docmd("QUIT")
    except smtplib.SMTPResponseException as error:
        code, said = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    except (OSError, smtplib.SMTPException) as error:
        patience.check()
        return False, getattr(error, "strerror", "") or str(error) or "no answer"
    return code == 250, f"{code} {said.decode(errors='replace')}"


class _Post(smtplib.SMTP):
    """The library's client over any of our listeners, TCP or not."""

    def __init__(self, listener: Endpoint, patience: TimeLeft, *, proxy: bool) -> None:
        self._listener = listener
        self._patience = patience
        self._proxy = proxy
        super().__init__("localhost", 25, local_hostname=PROBE_DOMAIN, timeout=POST_S)

    def _get_socket(self, host: Any, port: Any, timeout: Any) -> socket.socket:
        del host, port, timeout
        connection = connected(self._listener, within_s=self._patience.share_s(POST_S))
        if self._proxy and isinstance(self._listener, TcpAddress):
            connection.sendall(PROXY)
        return connection

    def getreply(self) -> tuple[int, bytes]:
        """The next reply, as long as there is time for one."""
        if self.sock is not None:
            self.sock.settimeout(self._patience.share_s(POST_S))
        return super().getreply()

    def lhlo(self) -> tuple[int, bytes]:
        """LMTP's greeting (RFC 2033 §4.1)."""
        self.ehlo_msg = "lhlo"
        return self.ehlo()

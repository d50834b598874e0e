"""The broker's errors: each says to whom it matters."""

from __future__ import annotations


class BrokerError(Exception):
    """Base of every error that the broker raises on purpose. Its text is fit for the operator."""


class ConfigurationError(BrokerError):
    """The configuration cannot be used; the text names file, key, value, and what to do."""


class ListenError(BrokerError):
    """Another broker uses the state directory, even after some patience."""


class SessionFileError(BrokerError):
    """The file of sessions cannot be used by this version; the text names the file, and what to do."""


class ProtocolError(BrokerError):
    """A client broke the protocol; its connection must be closed.

    `clause` is the violated statement, by its name in the client's version of the standard; `code` is the reason code
    that a client of MQTT 5 is told (`broker.wire.reasons.Reason`), a protocol error where nothing else is said.
    """

    def __init__(self, clause: str, text: str, code: int = 0x82) -> None:
        super().__init__(f"{text} [{clause}]")
        self.clause = clause
        self.code = code


class HandshakeError(BrokerError):
    """A client asked for no WebSocket that it could have. The text is the reason that is logged and counted."""


class LoginsUnavailableError(BrokerError):
    """The table of logins has not been read yet, so nobody can be let in or turned away for good."""

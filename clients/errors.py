"""What can go wrong for a client, in words for its user."""

from __future__ import annotations


class ClientError(Exception):
    """Base of every error that a client raises on purpose; its text is fit for the user."""


class UsageError(ClientError):
    """An argument or a setting that cannot be used; the text names it and says what to write instead."""


class StateError(ClientError):
    """The state file cannot be read or written."""


class StateLockedError(StateError):
    """Another process uses the state file."""


class LoginRefusedError(ClientError):
    """The broker does not let this login in, or not to its own topics."""


class LoginTakenError(ClientError):
    """Another program uses the same login, and the two throw one another out."""


class OutputError(ClientError):
    """What was to be shown could not be written."""


class ReaderGoneError(OutputError):
    """Whoever read what is shown has seen enough, as `head` has: nobody is to be told."""


class RequestError(ClientError):
    """The bridge did not give what was asked for."""


class BridgeRefusedError(RequestError):
    """The bridge said no; `status` is why, by its number in the protocol."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the bridge refused: {text or f'status {status}'}")
        self.status = status

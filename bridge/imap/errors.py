"""What can go wrong with a mail server, by what is to be done about it."""

from __future__ import annotations

from bridge.errors import PostbellError


class ImapError(PostbellError):
    """Base of these errors. Try again later, unless a class below says otherwise."""


class ImapLostError(ImapError):
    """The connection is gone, or could not be made."""


class ImapLimitError(ImapError):
    """The server sent more than anybody needs: longer, larger, deeper or more of it. The connection is given up."""


class ImapSyntaxError(ImapError):
    """The server sent what is no IMAP. The connection is given up."""


class ImapNoError(ImapError):
    """The server did not do what it was asked (NO or BAD); `code` is the response code in capitals, or empty."""

    def __init__(self, text: str, *, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class ImapLoginError(ImapError):
    """The server does not take login and password. It is of no use to try again with the same."""


class ImapSecretError(ImapError):
    """The password or token cannot be had: no such file, or the command failed."""

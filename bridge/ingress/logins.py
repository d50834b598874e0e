"""Logins as dialogues (RFC 4954): aiosmtpd's mechanisms ask, and are given the answers line by line. Pure.

A mechanism of the library is a coroutine that awaits nothing but the sender's next line. So it is driven here by
hand: what it asks for is said, and when the line has come it goes on.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from types import coroutine
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

from bridge.ingress import replies

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from bridge.reply import Reply

MECHANISMS: Final[Mapping[str, Any]] = {"PLAIN": SMTP.auth_PLAIN, "LOGIN": SMTP.auth_LOGIN}
_ASKED: Final = {"PLAIN": (b"",), "LOGIN": (b"Username:", b"Password:")}


@dataclass(frozen=True, slots=True)
class LoginOutcome:
    """How a dialogue ended: it failed, or with a name and a password, or with what nobody looked at."""

    failed: bool = False
    login: tuple[str, str] | None = None


class LoginDialogue:
    """One dialogue. It begins with `go_on(None)`, and each time says a challenge or how it ended."""

    AuthLoginUsernameChallenge = "Username:"  # the library's own words have printers hang up
    AuthLoginPasswordChallenge = "Password:"

    def __init__(self, words: Sequence[str], *, ignored: bool = False) -> None:
        """`words` are the mechanism and perhaps the first answer; what is `ignored` is heard and not looked at."""
        self._said: list[Reply | bytes] = []
        mechanism = words[0].upper()
        dialogue = _heard(_ASKED[mechanism][len(words) - 1 :]) if ignored else self._understood(mechanism, list(words))
        self._dialogue: Any = dialogue

    def go_on(self, answer: bytes | None) -> bytes | LoginOutcome:
        """The line of the next challenge, or the end. `answer` is the sender's line, None when there is none."""
        try:
            challenge: bytes = self._dialogue.send(answer)
        except StopIteration as done:
            outcome: LoginOutcome = done.value
            return outcome
        return b"334 " + base64.b64encode(challenge) + b"\r\n"

    def said(self) -> tuple[Reply | bytes, ...]:
        """What is to be said beside it, once."""
        said, self._said = tuple(self._said), []
        return said

    async def _understood(self, mechanism: str, words: list[str]) -> LoginOutcome:
        result: AuthResult = await MECHANISMS[mechanism](self, self, words)
        if not result.success or not isinstance(result.auth_data, LoginPassword):
            return LoginOutcome(failed=True)
        name, password = result.auth_data.login, result.auth_data.password
        return LoginOutcome(login=(name.decode(errors="replace"), password.decode(errors="replace")))

    # --- what the library's mechanisms call ---------------------------------------------------------------

    async def challenge_auth(self, challenge: str | bytes, *_: Any, **__: Any) -> Any:
        """Ask the sender for more (RFC 4954 §4): the decoded answer, or MISSING when there is none."""
        answer = await _ask(challenge.encode() if isinstance(challenge, str) else challenge)
        if answer is not None:
            try:
                return base64.b64decode(answer, validate=True)
            except ValueError:
                self._said.append(replies.AUTH_UNREADABLE)
        return MISSING

    async def push(self, status: str) -> None:
        """Say a finished line without its end."""
        self._said.append(status.encode("ascii", "replace") + b"\r\n")

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        """Pass on what the library has decoded; whether it is right is asked off the event loop."""
        del mechanism
        return AuthResult(success=True, auth_data=auth_data)


@coroutine
def _ask(challenge: bytes) -> Generator[bytes, bytes | None, bytes | None]:
    return (yield challenge)


def _heard(challenges: Sequence[bytes]) -> Generator[bytes, bytes | None, LoginOutcome]:
    """Let a device say what it has to say, without looking at it."""
    for challenge in challenges:
        if (yield challenge) is None:
            return LoginOutcome(failed=True)
    return LoginOutcome()

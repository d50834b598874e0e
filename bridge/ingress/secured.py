"""Encryption and login of a conversation: STARTTLS (RFC 3207), TLS from the start, AUTH (RFC 4954)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword, syntax

from bridge.ingress import replies
from bridge.ingress.reading import LineTooLongError
from bridge.ingress.session import LONGEST_LINE, Conversation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.ingress.context import IngressContext

log = structlog.get_logger()


class SecuredConversation(Conversation):
    """A conversation that can be encrypted and whose sender can log in once it is.

    Devices that always log in are let, where it means nothing (`Trust.any_login`), in clear as well.
    """

    AuthLoginUsernameChallenge = "Username:"  # the library's own words have printers hang up
    AuthLoginPasswordChallenge = "Password:"

    mechanisms: ClassVar[Mapping[str, Callable[..., Awaitable[AuthResult]]]] = {
        "PLAIN": SMTP.auth_PLAIN,
        "LOGIN": SMTP.auth_LOGIN,
    }

    def __init__(self, context: IngressContext, *, implicit_tls: bool = False) -> None:
        super().__init__(context)
        self._implicit_tls = implicit_tls
        if implicit_tls:
            self.listener = "smtps"
        self._secure = False
        self._greeted = False
        self._extended = False
        self._authenticated = False

    @property
    def login_needed(self) -> bool:
        """Whether the sender may not send mail before it has logged in."""
        return not self._authenticated and not self._trusted

    def forget_mail(self) -> None:
        """Drop the transaction that is open, if any."""

    def _may_log_in(self) -> bool:
        return self._context.check_login is not None and self._context.tls is not None

    async def _begin(self) -> bool:
        if not await super()._begin():
            return False
        if self._implicit_tls:
            await self._start_tls(begun=True)
        return True

    def security_extensions(self) -> list[str]:
        """What EHLO offers of this module at this moment."""
        offered = ["STARTTLS"] if self._context.tls is not None and not self._secure else []
        if self._any_login or (self._secure and self._context.check_login is not None):
            offered.append("AUTH " + " ".join(self.mechanisms))
        return offered

    @property
    def _any_login(self) -> bool:
        return self.indulged and self._context.trust.any_login

    @syntax("STARTTLS")
    async def do_starttls(self, arg: str) -> None:
        """Encrypt; the sender greets again afterwards (RFC 3207 §4.2)."""
        if arg:
            self.refuse(replies.NO_ARGUMENT_ALLOWED)
        elif self._context.tls is None:
            self.refuse(replies.NOT_IMPLEMENTED)
        elif self._secure:
            self.refuse(replies.TLS_ACTIVE)
        else:
            self.say(replies.TLS_READY)
            await self._start_tls()
            self._greeted = False
            self.forget_mail()

    async def _start_tls(self, *, begun: bool = False) -> None:
        await super()._start_tls(begun=begun)
        self._secure = True

    @syntax("AUTH mechanism [initial-response]")
    async def do_auth(self, arg: str) -> None:
        """Log in, over TLS only (RFC 4954 §4), unless it means nothing."""
        words = arg.split()
        if self._context.check_login is None and not self._any_login:
            self.refuse(replies.AUTH_UNNEEDED)
        elif not self._greeted:
            self.refuse(replies.GREETING_NEEDED)
        elif not self._extended and not self._any_login:
            self.refuse(replies.EHLO_NEEDED)
        elif not self._secure and not self._any_login:
            self.refuse(replies.TLS_NEEDED)
        elif self._authenticated:
            self.refuse(replies.AUTH_DONE)
        elif self.busy:
            self.refuse(replies.AUTH_DURING_MAIL)
        elif len(words) not in {1, 2}:
            self.refuse(replies.AUTH_SYNTAX)
        elif words[0].upper() not in self.mechanisms:
            self.refuse(replies.MECHANISM_UNKNOWN)
        elif self._any_login:
            await self._ignore_login(words)
        else:
            await self._log_in(words)

    async def _log_in(self, words: list[str]) -> None:
        check = self._context.check_login
        assert check is not None
        result = await self.mechanisms[words[0].upper()](self, self, words)
        if not result.success:
            self._errors += 1  # why was said already
        elif isinstance(result.auth_data, LoginPassword) and await check(*_texts(result.auth_data)):
            self._authenticated = True
            self.say(replies.AUTHENTICATED)
        else:
            log.warning("smtp_login_failed", peer=self._address)
            self.refuse(replies.AUTH_INVALID)

    async def _ignore_login(self, words: list[str]) -> None:
        """Let a device say what it has to say, without looking at it."""
        asked = ["Username:", "Password:"] if words[0].upper() == "LOGIN" else [""]
        for challenge in asked[len(words) - 1 :]:
            if await self._answer_to(challenge.encode()) is None:
                self._errors += 1
                return
        if self._context.ignored_logins.first(self._address):
            log.info("smtp_login_ignored", peer=self._address)
        self.say(replies.AUTHENTICATED)

    async def challenge_auth(self, challenge: str | bytes, *_: Any, **__: Any) -> Any:
        """Ask the sender for more (RFC 4954 §4): the decoded answer, or MISSING when there is none.

        The library's mechanisms call it.
        """
        answer = await self._answer_to(challenge.encode() if isinstance(challenge, str) else challenge)
        if answer is not None:
            try:
                return base64.b64decode(answer, validate=True)
            except ValueError:
                self.say(replies.AUTH_UNREADABLE)
        return MISSING

    async def _answer_to(self, challenge: bytes) -> bytes | None:
        """The line that answers a challenge, or None when there is none and why was said.

        The sender's time runs while it is its turn, and its line is read with the bounds of a command.
        """
        self._said.append(b"334 " + base64.b64encode(challenge) + b"\r\n")
        self._await_sender()
        try:
            await self._flush()
            line = await self._reader.line(LONGEST_LINE)
        except LineTooLongError:
            self._line_ends.overlong()
            self.say(replies.AUTH_LINE_TOO_LONG)
            return None
        finally:
            self._deadline.lift()
        answer = self._line_ends.cut(line, indulged=self.indulged)
        if answer is None:
            self.say(replies.BARE_LF)
        elif answer == b"*":
            self.say(replies.AUTH_ABANDONED)
            return None
        return answer

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        """Pass on what the library has decoded; whether it is right is asked off the event loop."""
        del mechanism
        return AuthResult(success=True, auth_data=auth_data)


def _texts(login: LoginPassword) -> tuple[str, str]:
    return login.login.decode(errors="replace"), login.password.decode(errors="replace")

"""What is told at the end of `postbell init`: how it is started, tried, and looked after. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bridge.init.answers import MailServer, Tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.init.answers import Answers
    from bridge.init.places import Installation
    from bridge.init.plan import Machine


def lines(
    answers: Answers,
    installation: Installation,
    machine: Machine,
    *,
    connected: bool,
    standard: bool,
    again: bool,
) -> tuple[str, ...]:
    """The next steps, numbered.

    `connected`: the mail server hands mail over already; `standard`: the configuration is found without being named;
    `again`: there was one before, so it may be running.
    """
    program = _program(installation, machine, standard=standard)
    became = ("sudo", "-u", installation.account) if installation.account else ()
    call = shlex.join([*became, *program])
    steps = (
        *_start(installation, machine, call, again=again),
        *_mail(answers, installation, call, connected=connected),
        f"see whether it works: {call} doctor",
        *_trust(answers, installation, shlex.join(program)),
    )
    return tuple(f"{number}. {step}" for number, step in enumerate(steps, 1))


def _program(installation: Installation, machine: Machine, *, standard: bool) -> tuple[str, ...]:
    """How `postbell` is called from now on, by whoever may."""
    named = () if standard else ("--config", str(installation.configuration))
    return ("postbell" if machine.on_path else machine.program, *named)


def _start(installation: Installation, machine: Machine, call: str, *, again: bool) -> Iterator[str]:
    if not machine.systemd or (installation.account and not machine.service_unit):
        yield f"start it, and have your system start it from now on: {call} serve"
    elif installation.account and again:
        yield "have it know all this: sudo systemctl restart postbell.socket postbell"
    elif installation.account:
        yield "start it, now and from now on: sudo systemctl enable --now postbell"
    elif again:
        yield "have it know all this: systemctl --user restart postbell"
    else:
        yield "start it, now and whenever you log in: systemctl --user enable --now postbell"
        yield "if it is to run while you are logged out: sudo loginctl enable-linger $USER"


def _mail(answers: Answers, installation: Installation, call: str, *, connected: bool) -> Iterator[str]:
    address = next((each for each in answers.addresses if not each.startswith("@")), f"x{answers.addresses[0]}")
    if answers.mail_server is MailServer.NONE:
        yield (
            "have your mail server hand over copies: by a recipe (postbell setup --help), or over LMTP to "
            f"{installation.lmtp}"
        )
    elif not connected:
        yield f"have {answers.mail_server} hand over copies: {call} setup {answers.mail_server} | sudo sh"
    test = f"{call} watch {answers.user}/{answers.device}"
    if answers.mail_server is MailServer.NONE:
        yield f"try it: {test}, and in another terminal: {call} send FILE.eml --to {address}"
    else:
        yield f"try it: {test}, and in another terminal: echo It rings. | sendmail {address}"


def _trust(answers: Answers, installation: Installation, program: str) -> Iterator[str]:
    if answers.tls is Tls.LOCAL_CA:
        yield (
            f"let each device trust {installation.folder / 'ca.pem'}: copy the file to it, or print it for copying: "
            f"{program} certificate ca"
        )

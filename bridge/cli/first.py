"""The first user and device of an installation, and the mail server that hands over their mail."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from bridge.cli import opening, setup
from bridge.config import judging
from bridge.directory import normalise
from bridge.errors import PostbellError
from bridge.init import accounts
from bridge.store import offline, pairing, people

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.settings import Settings
    from bridge.init.answers import Answers
    from bridge.init.plan import Machine
    from bridge.setup.recipe import Recipe

PATIENCE_S = 120
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class RecipeError(PostbellError):
    """A mail server's recipe that could not be carried out."""


def paired(settings: Settings, answers: Answers, *, account: str) -> dict[str, Any]:
    """Make sure of the user, the addresses and the device, in one transaction of the account's.

    `user` and `addresses` are what was added; `password` is that of the device, None when there was one already.
    """

    def work() -> dict[str, Any]:
        with opening.changing(settings) as transaction:
            there = {user.user: user for user in people.list_users(transaction.connection, 0)}.get(answers.user)
            missing = [each for each in answers.addresses if there is None or normalise(each) not in there.addresses]
            if there is None:
                people.add_user(transaction, answers.user, missing)
            else:
                people.add_addresses(transaction, answers.user, missing)
            password = None
            if there is None or answers.device not in there.devices:
                password = pairing.add_device(transaction, answers.user, answers.device)
        return {"user": there is None, "addresses": missing, "password": password}

    result: dict[str, Any] = accounts.in_the_name_of(account, work)
    return result


def problems(configuration: Path, machine: Machine, *, account: str) -> list[str]:
    """What is wrong with the configuration that was written, as the account that will run with it sees it."""

    def work() -> list[str]:
        found = judging.judge(configuration, environ={}).problems
        by_systemd = {"lmtp.listen"} if machine.socket_unit else set()  # whose folder is there once that has made it
        return [str(problem) for problem in found if problem.key not in by_systemd]

    told: list[str] = accounts.in_the_name_of(account, work)
    return told


def recipe(settings: Settings, answers: Answers, *, account: str) -> Recipe:
    """What makes the mail server hand over copies for all users that there are; raises ConfigurationError."""

    def addresses() -> list[str]:
        with offline.reading(settings.place) as connection:
            return people.all_addresses(connection)

    site = setup.site_of(settings, accounts.in_the_name_of(account, addresses))
    return setup.recipe(setup.Server(answers.mail_server), site, directory="")


def follow(made: Recipe) -> str:
    """Carry a recipe out, as root; what is still to be done when the server does not run. Raises RecipeError."""
    script = str(made).removesuffix(f"{made.reload}\n")
    done = _shell(script)
    if done.returncode:
        raise RecipeError(f"the recipe for {made.server} could not be carried out: {_said(done)}")
    reloaded = _shell(made.reload)
    return f"{made.reload}: {_said(reloaded)}" if reloaded.returncode else ""


def _shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, out of the reach of Ctrl-C."""
    return subprocess.run(
        ["/bin/sh", "-eu"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        start_new_session=True,
        env={"PATH": _SYSTEM},
    )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or f"ended with {done.returncode}").splitlines()[-1]

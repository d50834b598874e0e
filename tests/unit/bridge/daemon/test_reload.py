"""A reload is all or nothing, and never ends the process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from structlog.testing import capture_logs

from bridge.config.judging import Judgement
from bridge.config.problems import Problem
from bridge.config.source import Source
from bridge.daemon.notify import Supervisor
from bridge.daemon.reload import Reload, Reloaded
from bridge.errors import ConfigurationError
from tests.support.configured import configured

NOW = configured(state_dir=Path("/var/lib/postbell"))
NEWER = configured(state_dir=NOW.state_dir, retain={"count": 7})


def reloaded(judge, *, use=lambda _: None):
    async def broker():
        return {"changed": ["limits.queue"]}

    async def story():
        reload = Reload(
            judge=judge,
            current=lambda: NOW,
            use=use,
            tell_broker=broker,
            supervisor=Supervisor(monotonic=time.monotonic),
        )
        return await reload.once()

    with capture_logs() as logs:
        return asyncio.run(story()), [each["event"] for each in logs]


def judged(settings, *problems):
    return lambda: Judgement(Source(), settings, problems)


def test_what_is_right_holds_and_the_broker_is_told():
    used = []
    outcome, logs = reloaded(judged(NEWER), use=used.append)
    assert outcome == Reloaded(changed=("retain.count",), broker={"changed": ["limits.queue"]})
    assert (used, logs) == ([NEWER], ["reloaded"])


def test_what_can_pass_by_itself_is_no_reason_to_leave_all_as_it_is():
    outcome, _ = reloaded(judged(NEWER, Problem("in use", "wait", "smtp.listen", may_pass=True)))
    assert outcome.changed == ("retain.count",)


def test_mistakes_and_files_that_cannot_be_used_leave_all_as_it_is():
    def unusable(_):
        raise ConfigurationError("smtp.tls_cert = 'x': cannot be used")

    def no_file():
        raise ConfigurationError("x.toml: no such file")

    mistake = Problem("too small", "write 1 or more", "retain.count", "0", "x.toml", 3)
    for judge, use, problem in (
        (judged(NOW, mistake), unusable, str(mistake)),
        (judged(NEWER), unusable, "smtp.tls_cert = 'x': cannot be used"),
        (no_file, unusable, "x.toml: no such file"),
    ):
        outcome, logs = reloaded(judge, use=use)
        assert outcome == Reloaded(problems=(problem,))
        assert logs == ["reload_failed"]

"""The broker's part of the configuration: the bridge knows its names alone, and asks the broker for the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_S = 30.0

BROKERS_KEYS = {
    "broker": frozenset(
        {
            "tls_listen",
            "secure_websocket",
            "tls_cert",
            "tls_key",
            "tls_client_ca",
            "insecure",
            "session_days",
        }
    ),
    "limits": frozenset(
        {
            "packet",
            "clients",
            "clients_per_address",
            "connect_timeout",
            "login_failures",
            "queue",
            "queue_bytes",
            "inflight",
            "subscriptions",
            "publish_rate",
            "write_buffer",
            "stall_timeout",
        }
    ),
}
"""Keys that the broker alone reads, in the sections that both read (broker/settings.py)."""


class BrokerSilentError(PostbellError):
    """The broker's program did not answer as it should: a defect, or a broken installation."""


def problems(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the broker finds wrong in its part: `key`, `value`, `problem` and `cure` of each. Raises BrokerSilentError.

    It is a process of its own, for a fifth of a second of processor time: not for each command.
    """
    return _ask("--check-config", json.dumps(values, default=str))


def _ask(question: str, said: str) -> list[dict[str, str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTBELL_")}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "broker", question],
            capture_output=True,
            check=True,
            env=environ,
            input=said,
            text=True,
            timeout=ANSWER_S,
        )
        answer: list[dict[str, str]] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise BrokerSilentError(f"the broker's program does not judge its configuration: {error}") from error
    return answer

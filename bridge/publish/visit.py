"""Visits to another broker with the login of a device: to end its session, or to see that the broker knows it.

Such a broker throws out whoever has a login that is not in its files any more, and keeps the session, with the mail
that waits in it: for whoever gets a device of the same name. So a login that goes gets one last password, which nobody
knows, and by it a visit that takes the session over and ends it (MQTT 3.1.1 §3.1.2.4). That the visit was let
in proves that the broker has read the new files, so that the old password opens nothing any more.

Mosquitto queues nothing for a session whose password was replaced until somebody logs in with the new one: it has
no rights meanwhile. A visit sees to that as well, and takes nothing out of the queue, as it acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho

from bridge.errors import RefusedError
from bridge.publish.target import prepared

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.publish.target import Target

PATIENCE_S = 10.0
"""How long the broker may take to read its new files."""
AGAIN_S = 0.2
STEP_S = 0.1
ANSWER_S = 3.0


async def end_session(target: Target, *, patience_s: float) -> None:
    """Take over the session of the target's login and end it; raises RefusedError when that cannot be done in time.

    Where sessions go by client id it is that of a device that has its username there, with a colon for the dot.
    """
    await _let_in(target, client_id=target.username.replace(".", ":"), clean=True, patience_s=patience_s)


async def be_let_in(target: Target, *, by_username: bool, patience_s: float) -> None:
    """See that the target's login is good, and leave its session as it is; raises RefusedError.

    `by_username` says that sessions go by username, whatever the client id.
    """
    client_id = f"postbell-visit-{secrets.token_hex(4)}"
    present = await _let_in(target, client_id=client_id, clean=not by_username, patience_s=patience_s)
    if by_username and not present:  # the visit has made one, which the device would take for its own
        await _let_in(target, client_id=client_id, clean=True, patience_s=patience_s)


async def _let_in(
    target: Target, *, client_id: str, clean: bool, patience_s: float, how: str = "with the new password"
) -> bool:
    """Be let in within that time; whether there was a session. Raises RefusedError."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + patience_s
    while True:
        outcome = await asyncio.to_thread(_visit, target, client_id, clean=clean)
        if outcome.trouble == "":
            return outcome.session_present
        if loop.time() > give_up_at:
            raise RefusedError(f"{target.username} {how}: {outcome.trouble}")
        await asyncio.sleep(AGAIN_S)


async def take_place(target: Target, *, client_id: str, patience_s: float) -> None:
    """Have the broker close the connection of that login and client id, and leave its session as it is.

    Whoever had it may be stopped and wake up: from now on nothing that it wrote arrives (MQTT 3.1.1 [MQTT-3.1.4-2]).
    Raises RefusedError.
    """
    await _let_in(target, client_id=client_id, clean=False, patience_s=patience_s, how="is not let in")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a visit; `trouble` is empty when it was let in."""

    trouble: str
    session_present: bool = False


def _visit(target: Target, client_id: str, *, clean: bool) -> _Outcome:
    client = prepared(target, client_id=client_id, mqtt5=False, clean=clean, kind=paho.Client)
    answers: list[_Outcome] = []

    def connected(_c: Any, _u: Any, flags: paho.ConnectFlags, reason: ReasonCode, _p: Any) -> None:
        answers.append(_Outcome("" if reason == 0 else str(reason), flags.session_present))

    client.on_connect = connected
    try:
        client.connect(target.url.address.host, target.url.address.port)
        _loop_until(client, answers)
    except OSError as error:
        return _Outcome(str(error) or "timed out")
    finally:
        with contextlib.suppress(OSError):
            client.disconnect()
            _loop_until(client, [])
    return answers[0] if answers else _Outcome("no answer")


def _loop_until(client: paho.Client, answers: list[_Outcome]) -> None:
    """Have the client work until there is an answer or the connection has ended."""
    end = time.monotonic() + ANSWER_S
    while not answers and time.monotonic() < end:
        if client.loop(STEP_S):
            return

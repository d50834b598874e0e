"""A mail from its data to the answers for its recipients, as far as that has to be waited for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bridge.model import Envelope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.ingress.interfaces import Intake
    from bridge.ingress.queueing import LargeMessageQueue
    from bridge.ingress.receipt import Receipt
    from bridge.ingress.session import MailTransaction
    from bridge.model import Body
    from bridge.reply import Reply


async def receive(receipt: Receipt, block: Callable[[], Awaitable[bytes]], *, queue: LargeMessageQueue) -> None:
    """Take the rest of a large mail, block by block: each waits its turn, and is on its way to disk before the next.

    `block` gives what has come, and raises EOFError at the end.
    """
    await receipt.write()
    while receipt.rest is None:
        came = await block()
        async with queue if receipt.large else contextlib.nullcontext():
            receipt.feed(came)
            await receipt.write()


async def hand_over(mail: MailTransaction, body: Body, *, intake: Intake, protocol: str, peer: str) -> Sequence[Reply]:
    """What the intake answers, for each recipient in the order of RCPT, also for one named twice."""
    unique = tuple(dict.fromkeys(mail.recipients))
    answers = await intake.accept(Envelope(mail.sender, unique, body, protocol, peer))
    if len(unique) == len(mail.recipients):
        return answers
    each = dict(zip(unique, answers, strict=True))
    return [each[recipient] for recipient in mail.recipients]

"""Replies to devices: where they go, and in which pieces and form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from bridge.contract import plain, requests, topics
from bridge.errors import LinkDownError, PublishRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.contract.plain import PlainForm
    from bridge.contract.topics import RequestTopic
    from bridge.requests.answers import Answer
    from bridge.requests.courtesy import Courtesy
    from bridge.tally import Tally

CHUNKS_PER_REQUEST = 32


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """Where a reply goes, the correlation data that goes with it on MQTT 5 (MQTT 5 §3.3.2.3.6), and how it is written.

    `form` is None for MessagePack.
    """

    topic: str
    correlation: bytes | None = None
    form: PlainForm | None = None


class Replies:
    """Sends replies, in chunks of at most `chunk` bytes.

    `publish` sends one, or raises LinkDownError or PublishRefusedError; then it is dropped, and the device asks again.
    `courtesy` is waited for between two chunks.
    """

    def __init__(
        self,
        *,
        publish: Callable[[ReturnPath, bytes], Awaitable[None]],
        root: str,
        chunk: int,
        tally: Tally,
        courtesy: Courtesy,
    ) -> None:
        self._publish = publish
        self._root = root
        self.chunk = chunk
        self._tally = tally
        self._courtesy = courtesy
        self._log = structlog.get_logger()

    def topic(self, sender: RequestTopic, response_topic: str) -> str:
        """The response topic of MQTT 5 where it is the device's own reply topic or below it, else the reply topic.

        So nobody can have replies sent to another's topics.
        """
        own = f"{self._root}/{topics.reply(sender.user, sender.device)}"
        allowed = (response_topic + "/").startswith(f"{own}/") and not set(response_topic) & set("+#\0")
        return response_topic if allowed else own

    async def stream(self, path: ReturnPath, request_id: int, answer: Answer) -> None:
        """Send the chunks from an offset on: up to its limit, the end, or as many as one request gets.

        At least one is sent, if only an empty one. Raises BadRequestError for an offset that is not in the answer.
        """
        total = len(answer.content)
        most = max(1, total) if answer.whole else CHUNKS_PER_REQUEST * self.chunk
        offset, limit = requests.window(answer.window, total=total, most=most)
        end = min(total, offset + limit)
        with self._courtesy.reading():
            while True:
                chunk = answer.content[offset : min(end, offset + self.chunk)]
                await self.send(path, requests.pack_reply(request_id, offset=offset, total=total, chunk=chunk))
                offset += len(chunk)
                if offset >= end:
                    break
                await self._courtesy.yield_to_mail()

    async def decline(self, path: ReturnPath, request_id: int, status: int, text: str) -> None:
        """Say that a request was not done, and why."""
        if path.form is None:
            await self.send(path, requests.pack_refusal(request_id, status=status, text=text))
        else:
            await self.send(path, plain.refusal(path.form, request_id, text))

    async def send(self, path: ReturnPath, payload: bytes) -> None:
        """Send one payload, if the broker takes it."""
        try:
            await self._publish(path, payload)
        except LinkDownError:
            self._tally.replies_dropped += 1
            self._log.info("reply_dropped", reason="broker lost")
        except PublishRefusedError as error:
            self._tally.replies_dropped += 1
            self._log.warning("reply_dropped", reason=str(error))

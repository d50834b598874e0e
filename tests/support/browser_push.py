"""The browser's half of a push service: what Firefox keeps a WebSocket to, which wakes its service workers."""

from __future__ import annotations

import contextlib
import json
import threading
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

if TYPE_CHECKING:
    from collections.abc import Callable


class BrowserPush:
    """Speaks Mozilla's protocol to one browser. `endpoint` names where to push to for each channel.

    Registered channels are in `channels`, in their order; `acknowledged` counts what the browser has taken.
    """

    def __init__(self, endpoint: Callable[[str], str]) -> None:
        self.channels: list[str] = []
        self.acknowledged = 0
        self._endpoint = endpoint
        self._browser: ServerConnection | None = None
        self._server = serve(self._talk, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(20)

    def deliver(self, body: bytes) -> None:
        """Hand on what was pushed (RFC 8291) to the newest channel."""
        assert self._browser is not None
        data = urlsafe_b64encode(body).rstrip(b"=").decode()
        self._say(
            self._browser,
            messageType="notification",
            channelID=self.channels[-1],
            version=uuid4().hex,
            ttl=60,
            data=data,
            headers={"encoding": "aes128gcm"},
        )

    def _talk(self, browser: ServerConnection) -> None:
        self._browser = browser
        with contextlib.suppress(ConnectionClosed):
            for message in browser:
                self._answer(browser, json.loads(message))

    def _answer(self, browser: ServerConnection, said: dict[str, Any]) -> None:
        match said.get("messageType"):
            case "hello":
                uaid = said.get("uaid") or uuid4().hex
                self._say(browser, messageType="hello", status=200, uaid=uaid, use_webpush=True)
            case "register":
                channel = said["channelID"]
                self._say(
                    browser,
                    messageType="register",
                    status=200,
                    channelID=channel,
                    pushEndpoint=self._endpoint(channel.replace("-", "")),
                )
                self.channels.append(channel)
            case "unregister":
                self._say(browser, messageType="unregister", status=200, channelID=said["channelID"])
            case "ack":
                self.acknowledged += len(said["updates"])
            case None:
                browser.send("{}")

    def _say(self, browser: ServerConnection, **what: Any) -> None:
        browser.send(json.dumps(what))

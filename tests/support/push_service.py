"""A push service for tests, over HTTPS as real ones are, and the device behind it, which opens what comes.

The device's half of RFC 8291 and RFC 8188 is written here anew, from HMAC on, and shares nothing with the bridge's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import ssl
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.model import Subscription
from tests.support.certificates import self_signed
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "localhost"


@dataclass(frozen=True)
class Post:
    """What the service was asked."""

    path: str
    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reaction:
    """What it answers, after waiting for `until` if there is such an event; status 0 is a connection that ends."""

    status: int = 201
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    until: threading.Event | None = None


class Device:
    """A device's keys, and what it reads of a body that was pushed."""

    def __init__(self, private: ec.EllipticCurvePrivateKey | None = None, auth: bytes = b"") -> None:
        self.private = private or ec.generate_private_key(ec.SECP256R1())
        self.auth = auth or os.urandom(16)
        self.point = point_of(self.private)

    def at(self, endpoint: str, host: str = HOST) -> Subscription:
        """Its subscription at an endpoint, as the store has it."""
        return Subscription(endpoint, host, self.point, self.auth)

    @property
    def keys(self) -> tuple[str, str]:
        """p256dh and auth as a browser gives them."""
        return base64url(self.point), base64url(self.auth)

    def opened(self, body: bytes) -> bytes:
        """The text in a body, without its padding (RFC 8188 §2, RFC 8291 §3.4)."""
        salt, record_size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= record_size
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.private.exchange(ec.ECDH(), public)
        secret = _hkdf(self.auth, shared, b"WebPush: info\0" + self.point + sender, 32)
        key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
        text = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert text[-1:] == b"\x02", "the delimiter of a last record"
        return text[:-1]

    def shown(self, post: Post) -> dict[str, Any]:
        """What the notification says."""
        message: dict[str, Any] = json.loads(self.opened(post.body))
        assert message["web_push"] == 8030
        notification: dict[str, Any] = message["notification"]
        return notification | {"badge": message["app_badge"]}


class PushService:
    """Answers as it was told, 201 unless it was; a context manager. `trust` is what makes clients trust it."""

    def __init__(self, directory: Path, *, port: int = 0) -> None:
        self.posts: list[Post] = []
        self.reactions: deque[Reaction] = deque()
        self.otherwise = Reaction()
        directory.mkdir(parents=True, exist_ok=True)
        self.chain, key = self_signed(directory, "push")
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reaction = service._take(Post(self.path, dict(self.headers.items()), body))
                if reaction.until is not None:
                    reaction.until.wait(PATIENCE_S)
                if not reaction.status:
                    self.close_connection = True
                    return
                try:
                    self.send_response(reaction.status)
                    for name, value in reaction.fields:
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reaction.body)))
                    self.end_headers()
                    self.wfile.write(reaction.body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_: None  # a client that knocks and goes, as the doctor does
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for reaction in [*self.reactions, self.otherwise]:
            if reaction.until is not None:
                reaction.until.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.chain))
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return context

    def endpoint(self, name: str = "abc") -> str:
        return f"https://{HOST}:{self.port}/push/{name}"

    def wait(self, count: int) -> list[Post]:
        """The posts, once there are so many."""
        until(lambda: len(self.posts) >= count, what=f"{count} pushes")
        return list(self.posts)

    def _take(self, post: Post) -> Reaction:
        with self._lock:
            self.posts.append(post)
            return self.reactions.popleft() if self.reactions else self.otherwise


def claims_of(post: Post) -> dict[str, Any]:
    """What the request's signature says (RFC 7515), which is checked, and `k`, the key that it is of."""
    scheme, _, rest = post.fields["Authorization"].partition(" ")
    assert scheme == "vapid"
    parameters = dict(each.strip().split("=", 1) for each in rest.split(","))
    head, payload, signature = parameters["t"].split(".")
    assert json.loads(from_base64url(head)) == {"typ": "JWT", "alg": "ES256"}
    raw = from_base64url(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(parameters["k"]))
    try:
        public.verify(encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise AssertionError("the signature is not of this key") from None
    claims: dict[str, Any] = json.loads(from_base64url(payload))
    return claims | {"k": parameters["k"]}


def point_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    return private.public_key().public_bytes(encoding, form)


def base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, of which one round is enough."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\1", hashlib.sha256).digest()[:length]

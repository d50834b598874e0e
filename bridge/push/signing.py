"""Saying who it is that sends, so that a push service takes nothing from others (RFC 8292, "VAPID"). Pure.

A token of JSON, signed by ES256 (RFC 7515, RFC 7518 §3.4), for one push service and a few hours.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_BYTES: Final = 32
TOKEN_S: Final = 12 * 3600
"""So long a token holds; a push service takes none that holds for more than a day (RFC 8292 §2)."""


def private_key(number: bytes) -> EllipticCurvePrivateKey:
    """The key with this secret number."""
    return derive_private_key(int.from_bytes(number, "big"), SECP256R1())


def public_text(private: EllipticCurvePrivateKey) -> str:
    """The public key as browsers want it: an uncompressed point in base64url."""
    return base64url(private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def origin(endpoint: str) -> str:
    """Of an endpoint, what a token is for (RFC 6454 §6.2)."""
    parts = urlsplit(endpoint)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"https://{host}" if parts.port in {None, 443} else f"https://{host}:{parts.port}"


def token(audience: str, *, subject: str, now_s: int, private: EllipticCurvePrivateKey) -> str:
    """A signed token for a push service; `subject` is whom its operator may write to, mailto: or https:, or ""."""
    claims: dict[str, Any] = {"aud": audience, "exp": now_s + TOKEN_S}
    if subject:
        claims["sub"] = subject
    signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(private.sign(signed.encode(), ECDSA(SHA256())))
    return f"{signed}.{base64url(r.to_bytes(KEY_BYTES, 'big') + s.to_bytes(KEY_BYTES, 'big'))}"


def authorization(signed: str, public: str) -> str:
    """The field of the request (RFC 8292 §3)."""
    return f"vapid t={signed}, k={public}"


def base64url(octets: bytes) -> str:
    """As RFC 7515 writes it: without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _json(value: Mapping[str, Any]) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())

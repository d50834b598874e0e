"""Sealing what a device is told, so that its push service cannot read it (RFC 8291, RFC 8188 aes128gcm). Pure.

One record, whose key comes from three secrets: an exchange between a key of this message alone and that of the
device, and the device's `auth`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from bridge.model import Subscription

RECORD_BYTES: Final = 4096
"""What every push service takes (RFC 8030 §7.2), and the size of our only record."""
OVERHEAD_BYTES: Final = 16 + 4 + 1 + 65 + 1 + 16
"""Salt, record size, length of the key, the key (RFC 8188 §2.1); the delimiter behind the text, the cipher's tag."""
MOST_BYTES: Final = RECORD_BYTES - OVERHEAD_BYTES
"""So long may the text be: 3,993 bytes."""
SALT_BYTES: Final = 16
_LAST: Final = b"\x02"  # the delimiter of the last record (RFC 8188 §2)


def seal(text: bytes, to: Subscription, *, salt: bytes, private: EllipticCurvePrivateKey, padded_to: int = 0) -> bytes:
    """The body of the request that brings `text` to a device.

    `salt` is 16 random bytes and `private` a key of P-256, both for this one message. A short text is padded to
    `padded_to` bytes, so that its length tells nothing. Raises ValueError for a `p256dh` that is no point of the curve.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"{len(text)} bytes of text do not fit into one record")
    theirs = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), to.p256dh)
    ours = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = private.exchange(ECDH(), theirs)
    secret = _derived(shared, salt=to.auth, info=b"WebPush: info\0" + to.p256dh + ours, length=32)  # RFC 8291 §3.4
    key = _derived(secret, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = _derived(secret, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    padding = bytes(max(0, min(padded_to, MOST_BYTES) - len(text)))
    sealed = AESGCM(key).encrypt(nonce, text + _LAST + padding, None)
    return salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


def is_point(p256dh: bytes) -> bool:
    """Whether this is a public key that can be sealed for."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), p256dh)
    except ValueError:
        return False
    return True


def _derived(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)

"""Makes a letter of what is said: sealed for its device, signed for its push service, with the fields of RFC 8030."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec

from bridge.push import saying, sealing, signing
from bridge.push.letter import PushLetter

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.kept import PushWaiting

RENEWED_S: Final = 3600
"""So long a signature is used again: each costs as much as all else."""
SIGNATURES: Final = 256


@dataclass(frozen=True, slots=True)
class _Signature:
    key: bytes
    subject: str
    at_s: float
    field: str


def fresh_number() -> bytes:
    """The secret number of a new key."""
    return ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(signing.KEY_BYTES, "big")


class Letters:
    """Writes letters. `salt` and `fresh_key` give what is for one message alone, `now_s` is Unix time.

    `subject` is whom the operator of a push service may write to; it may be replaced at any time.
    """

    def __init__(
        self,
        *,
        subject: str,
        salt: Callable[[], bytes],
        fresh_key: Callable[[], ec.EllipticCurvePrivateKey],
        now_s: Callable[[], float],
    ) -> None:
        self.subject = subject
        self._salt = salt
        self._fresh_key = fresh_key
        self._now_s = now_s
        self._signatures: dict[str, _Signature] = {}

    fresh_number = staticmethod(fresh_number)
    """What makes the number of the key that letters are signed with."""

    def write(self, waiting: PushWaiting, text: bytes, *, ttl_s: int, key: bytes) -> PushLetter:
        """A letter that the push service keeps for `ttl_s` seconds at most, signed by the key with this number.

        Raises ValueError when nothing can be sealed for the device.
        """
        to = waiting.subscription
        body = sealing.seal(text, to, salt=self._salt(), private=self._fresh_key(), padded_to=saying.PADDED_BYTES)
        fields = {
            "Authorization": self._authorization(signing.origin(to.endpoint), key),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl_s),
            "Topic": saying.topic(waiting),
            "Urgency": "high",
        }
        return PushLetter(to.endpoint, to.host, fields, body)

    def _authorization(self, audience: str, key: bytes) -> str:
        now_s, found = self._now_s(), self._signatures.get(audience)
        if (
            found is None
            or (found.key, found.subject) != (key, self.subject)
            or not 0 <= now_s - found.at_s < RENEWED_S
        ):
            private = signing.private_key(key)
            signed = signing.token(audience, subject=self.subject, now_s=int(now_s), private=private)
            field = signing.authorization(signed, signing.public_text(private))
            if len(self._signatures) >= SIGNATURES:
                self._signatures.clear()
            found = self._signatures[audience] = _Signature(key, self.subject, now_s, field)
        return found.field

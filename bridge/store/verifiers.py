"""What brokers other than ours keep of a password, in their own notation.

Both are made for passwords that people choose, and so by many rounds. Ours are random: few rounds are
as good, and a storm of logins stays cheap there as well.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

SALT_BYTES, ROUNDS = 12, 101
"""What mosquitto's own tool uses unless told otherwise; mosquitto refuses nothing above 0."""
COST = 4
"""The least that bcrypt knows: a millisecond."""


def pbkdf2(password: str) -> str:
    """PBKDF2 with SHA-512 as it stands behind the name in mosquitto's password file."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", _octets(password), salt, ROUNDS)
    told = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${ROUNDS}${'$'.join(told)}"


def bcrypted(password: str) -> str:
    """Bcrypt as NATS knows it, which looks at the first 72 octets."""
    import bcrypt  # noqa: PLC0415 - for who makes a password; most commands do without

    return bcrypt.hashpw(_octets(password)[:72], bcrypt.gensalt(COST, prefix=b"2a")).decode()


def _octets(password: str) -> bytes:
    return password.encode(errors="surrogateescape")

"""What mosquitto and NATS have to know of a password."""

from __future__ import annotations

import base64
import hashlib

import bcrypt

from bridge.store import verifiers


def test_mosquitto_s_is_salted_and_says_how_often_it_was_hashed():
    once, again = (verifiers.pbkdf2("a password") for _ in range(2))
    assert once != again
    _, kind, rounds, salt, digest = once.split("$")
    assert kind == "7"
    salted = hashlib.pbkdf2_hmac("sha512", b"a password", base64.b64decode(salt), int(rounds))
    assert base64.b64decode(digest) == salted


def test_nats_s_is_bcrypt_of_the_version_that_it_knows():
    told = verifiers.bcrypted("a password")
    assert told.startswith("$2a$04$")
    assert bcrypt.checkpw(b"a password", told.encode())
    assert not bcrypt.checkpw(b"another", told.encode())


def test_any_password_has_both():
    assert verifiers.bcrypted("x" * 100)
    assert verifiers.pbkdf2("\udcff")

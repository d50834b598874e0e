"""Whatever may change while a bridge runs reaches the values that its parts are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config.section import declared
from bridge.config.settings import Settings
from bridge.daemon import live
from bridge.daemon.live import Adjustable
from tests.support.configured import configured

OTHER = {
    "spam.action": "suppress",
    "spam.headers": ("X-Spam-Flag",),
    "smtp.hostname": "mx.example.org",
    "smtp.networks": ("10.0.0.0/8",),
    "smtp.any_login": False,
    "smtp.proxies": ("10.0.0.0/8",),
    "smtp.authserv_ids": ("mx.example.org",),
    "smtp.tls_cert": Path("other.pem"),
    "smtp.tls_key": Path("other.pem"),
    "push.enabled": False,
    "push.allow": ("10.0.0.0/8",),
    "push.content": "none",
    "push.subject": "mailto:other@example.org",
    "log.level": "debug",
}
OF_COMMANDS = {"broker.public_url", "http.public_url", "http.networks", "http.tls_cert", "http.tls_key"}
"""And of what is made only where HTTP is served."""


@pytest.mark.parametrize("key", sorted(live.KEYS - OF_COMMANDS))
def test_a_key_that_is_live_reaches_a_part(key):
    section, name = key.split(".")
    before = Settings()
    value = OTHER[key] if key in OTHER else getattr(getattr(before, section), name) + 1
    assert Adjustable.of(configured(**{section: {name: value}})) != Adjustable.of(before)


@pytest.mark.parametrize("key", sorted(OF_COMMANDS))
def test_what_commands_alone_read_is_a_key(key):
    section, name = key.split(".")
    assert name in declared(type(getattr(Settings(), section)))

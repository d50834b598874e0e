"""The configuration as `postbell init` writes it: what is set, with what it means, and what else there is. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from bridge.init.answers import MailServer, Tls

if TYPE_CHECKING:
    from pathlib import PurePath

    from bridge.init.answers import Answers
    from bridge.init.places import Installation

Values = dict[str, dict[str, str]]
"""Values by section and key; those at the top of the file are in section ""."""

Known = Mapping[str, tuple[str, str]]
"""Of each section and key what it is for, and of a key its default as TOML."""

HINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "smtp": ("listen", "networks"),
    "retain": ("count", "days"),
    "body": ("days", "quota"),
    "http": ("listen",),
    "log": ("level",),
}

CHAIN, KEY = "fullchain.pem", "privkey.pem"
_WIDTH: Final = 100
_HEAD: Final = """\
# Postbell's configuration, written by `postbell init`. What is left out has its default; every key there is, with
# its type, default and meaning: postbell config show --all. After a change: postbell config check.
"""


def values(answers: Answers, place: Installation, *, socket_group: str = "") -> Values:
    """What the configuration has to say for these answers.

    `socket_group` is who may use the LMTP socket where it is Postbell itself that makes it.
    """
    sections: Values = {"": {"state_dir": str(place.state)}, "lmtp": {}, "broker": {}}
    if answers.mail_server is not MailServer.OPENSMTPD:  # which relays over SMTP, where Postbell listens by itself
        sections["lmtp"]["listen"] = str(place.lmtp)
        if socket_group:
            sections["lmtp"]["socket_owner"] = f":{socket_group}"
    if answers.tls is not Tls.NONE:
        chain, key = certificate(answers, place)
        sections["broker"] = {
            "tls_listen": f"0.0.0.0:{answers.port}",
            "tls_cert": str(chain),
            "tls_key": str(key),
            "public_url": url(answers),
        }
    return {name: section for name, section in sections.items() if section}


def certificate(answers: Answers, place: Installation) -> tuple[PurePath, PurePath]:
    """Chain and key as Postbell reads them: copies, unless it runs as the user who may read what was given."""
    if answers.tls is Tls.FILES and not place.account:
        assert answers.certificate is not None
        assert answers.key is not None
        return answers.certificate, answers.key
    return place.tls / CHAIN, place.tls / KEY


def url(answers: Answers) -> str:
    """Where devices reach the broker over TLS."""
    host = f"[{answers.host}]" if ":" in answers.host else answers.host
    return f"mqtts://{host}:{answers.port}"


def text(values: Mapping[str, Mapping[str, str]], known: Known) -> str:
    """The file, as TOML: what is set, each key with its meaning, and below it what is changed most often."""
    parts = [_HEAD]
    for name, section in values.items():
        lines = [f"[{name}]"] if name else []
        for key, value in section.items():
            lines += [*_comment(known[f"{name}.{key}" if name else key][0]), f"{key} = {_string(value)}"]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(
        [*parts, "# What else is often changed, each with its default; take the # away.\n", *_hints(known)]
    )


def _hints(known: Known) -> Iterator[str]:
    """Keys as comments that are TOML without their sign; none of their sections is among those that are set."""
    for section, names in HINTS.items():
        lines = [*_comment(known[section][0]), f"#[{section}]"]
        for key in names:
            meaning, default = known[f"{section}.{key}"]
            lines += [*_comment(meaning), f"#{key} = {default}"]
        yield "\n".join(lines) + "\n"


def _comment(meaning: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(meaning.replace("`", ""), _WIDTH, break_on_hyphens=False)]


def _string(value: str) -> str:
    """A text as TOML writes it; JSON's escapes are TOML's as well, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

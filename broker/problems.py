"""What is wrong with the broker's part of a configuration, as values: key, value, what is wrong, what to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from broker.keys import declared
from broker.settings import Section, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.keys import Declaration
    from broker.settings import Broker

_NO_SECTION = ("not a section", "write its name in brackets alone on a line, and below it key = value")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the value of `key`, which is dotted; `value` is what was written."""

    key: str
    value: Any
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.key} = {self.value!r}: {self.problem}; {self.cure}"


def judge(values: Mapping[str, Any]) -> tuple[Settings | None, list[Problem]]:
    """The settings of these values, None if some cannot be; and all that is wrong."""
    problems: list[Problem] = []
    parts: dict[str, Any] = _read(declared(Settings), values, "", problems)
    for name, section in _sections().items():
        said = values.get(name, {})
        if isinstance(said, dict):
            parts[name] = section(**_read(declared(section), said, f"{name}.", problems))
        else:
            problems.append(Problem(name, said, *_NO_SECTION))
    settings = Settings(**parts)
    together = [*_in_the_clear(settings.broker), *_without_certificate(settings.broker)]
    return None if problems else settings, problems + together


def _sections() -> dict[str, type[Section]]:
    return {each.name: type(each.default) for each in fields(Settings) if isinstance(each.default, Section)}


def _read(
    keys: Mapping[str, Declaration], said: Mapping[str, Any], before: str, problems: list[Problem]
) -> dict[str, Any]:
    """What was said of these keys, read; what cannot be is left out, and added to the problems."""
    values = {}
    for name in [each for each in keys if each in said]:
        try:
            values[name] = keys[name].read(said[name])
        except ValueError as error:
            problem, _, cure = str(error).partition("; ")
            problems.append(Problem(f"{before}{name}", said[name], problem, cure))
    return values


def _in_the_clear(broker: Broker) -> Iterator[Problem]:
    for key, secure in (("listen", "tls_listen"), ("websocket", "secure_websocket")):
        address = getattr(broker, key)
        if address is not None and not broker.insecure and not address.is_loopback:
            yield Problem(
                f"broker.{key}",
                str(address),
                "passwords and mail would cross the network in the clear",
                f"use broker.{secure}, listen on 127.0.0.1, or set broker.insecure = true",
            )


def _without_certificate(broker: Broker) -> Iterator[Problem]:
    half = {"tls_cert": "tls_key", "tls_key": "tls_cert"}
    for key, other in half.items():
        if getattr(broker, key) and not getattr(broker, other):
            lacks = "a certificate without its key" if key == "tls_cert" else "a key without its certificate"
            yield Problem(f"broker.{key}", str(getattr(broker, key)), lacks, f"set broker.{other} to its PEM file")
    for key in ("tls_listen", "secure_websocket", "tls_client_ca"):
        value = getattr(broker, key)
        if value is not None and not (broker.tls_cert or broker.tls_key):
            cure = "set broker.tls_cert and broker.tls_key to PEM files"
            yield Problem(f"broker.{key}", str(value), "needs a certificate", cure)

"""What is wrong with the broker's part of a configuration, as values: key, value, what is wrong, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from broker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from broker.settings import Broker

_NUMBER = ("not a number", "write one without quotes, as 7 or 0.5")
_WHOLE = ("not a whole number", "write one without quotes, as 100")
_WORDS = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": ("neither true nor false", "write true or false without quotes"),
    "bool_parsing": ("neither true nor false", "write true or false without quotes"),
    "path_type": ("not a path", 'write it in quotes, as "/etc/postbell/file"'),
    "string_type": ("not a text", 'write it in quotes, as "this"'),
    "model_type": ("not a section", "write its name in brackets alone on a line, and below it key = value"),
}
_BOUNDS = {
    "greater_than_equal": ("too small", "write {} or more"),
    "greater_than": ("too small", "write more than {}"),
    "less_than_equal": ("too large", "write {} or less"),
}


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
    """The settings of these values with the environment over them, None if some cannot be; and all that is wrong.

    Raises pydantic-settings' SettingsError for a variable that is no setting at all.
    """
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems = [_of(each) for each in error.errors(include_url=False)]
        rest = _without(values, {problem.key for problem in problems})
        return None, problems + ([] if rest == values else judge(rest)[1])
    return settings, [*_in_the_clear(settings.broker), *_without_certificate(settings.broker)]


def _of(error: ErrorDetails) -> Problem:
    key = ".".join(str(part) for part in error["loc"])
    return Problem(key, error["input"], *_put(error["type"], error["msg"], error.get("ctx", {})))


def _without(values: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    return {
        name: {key: inner for key, inner in value.items() if f"{name}.{key}" not in keys}
        if isinstance(value, dict)
        else value
        for name, value in values.items()
        if name not in keys
    }


def _put(kind: str, message: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """What the library says of a value, in our words: what is wrong, and the cure."""
    if kind in _BOUNDS:
        problem, cure = _BOUNDS[kind]
        (bound,) = context.values()
        return problem, cure.format(int(bound) if bound == int(bound) else bound)
    problem, _, cure = message.removeprefix("Value error, ").partition("; ")
    return _WORDS.get(kind) or (problem, cure or "mend it")


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

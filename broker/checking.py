"""The broker's part of a configuration judged without running: its values, and the files that they name."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from broker.errors import ConfigurationError
from broker.problems import Problem, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from broker.settings import Broker, Settings

_BOTH = "broker.tls_cert and broker.tls_key"


def check(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is wrong: `key`, `value`, `problem` and `cure` of each. Files are judged as this user sees them."""
    settings, problems = judge(values)
    if settings is not None:
        told = {problem.key for problem in problems}
        problems += [problem for problem in _files(settings.broker) if problem.key not in told]
    return [asdict(problem) for problem in problems]


def settings(values: Mapping[str, Any]) -> Settings:
    """The settings of these values; raises ConfigurationError when something is wrong with them."""
    made, problems = judge(values)
    if made is None or problems:
        raise ConfigurationError("\n".join(str(problem) for problem in problems))
    return made


def _files(broker: Broker) -> Iterator[Problem]:
    wrong = False
    for key in ("tls_cert", "tls_key", "tls_client_ca"):
        path: Path | None = getattr(broker, key)
        if path is not None and (cannot := _unreadable(path)):
            wrong = True
            yield Problem(f"broker.{key}", str(path), *cannot)
    if wrong or not (broker.tls_cert and broker.tls_key):
        return
    import ssl  # noqa: PLC0415 - half of what all else here takes to import, and most ask without a certificate

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(broker.tls_cert, broker.tls_key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        key, *told = _no_pair(broker.tls_cert, broker.tls_key, error)
        yield Problem(f"broker.{key}", str(getattr(broker, key)), *told)
    try:
        if broker.tls_client_ca is not None:
            context.load_verify_locations(broker.tls_client_ca)
    except OSError:
        cure = "name one, or leave the key out: devices then need no certificate of their own"
        yield Problem("broker.tls_client_ca", str(broker.tls_client_ca), "no PEM file of certificates", cure)


def _no_pair(chain: Path, key: Path, error: Exception) -> tuple[str, str, str]:
    """Why two files are no certificate with its key: which of the two is wrong, what is, and the cure."""
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "tls_key", "the key has a passphrase", f"write the key without one: openssl pkey -in {key} -out FILE"
    if "KEY_VALUES_MISMATCH" in str(error):
        return "tls_key", "it does not belong to the certificate", f"name two that do in {_BOTH}"
    if b"PRIVATE KEY-----" in chain.read_bytes() and b"-----BEGIN CERTIFICATE-----" in key.read_bytes():
        return "tls_cert", "this is the key, and tls_key the certificate", f"change {_BOTH} round"
    return "tls_cert", "no certificate with its key in PEM form", f"name the certificate and its key in {_BOTH}"


def _unreadable(path: Path) -> tuple[str, str] | None:
    try:
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return "there is no such file", "name a PEM file, or mend the path"
    except PermissionError:
        return "this user may not read it", "give it to the group of the user that runs Postbell, with mode 0640"
    except OSError as error:
        return f"it cannot be read: {error.strerror}", "mend the path"


def _no_passphrase() -> str:
    """Without it the library would ask the terminal."""
    raise ValueError("the key has a passphrase")

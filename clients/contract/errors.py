"""What a client refuses to read: a payload of another version, or of none."""

from __future__ import annotations


class ContractError(ValueError):
    """A payload that this client does not read; the text says why, never what was in it."""


class UnknownVersionError(ContractError):
    """A payload of another version of the contract: skip it, and say so once."""


class MalformedError(ContractError):
    """A payload that no version of the contract could have written."""

"""The lock files: every package pinned with hashes, by name alone, and to the same version wherever it is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def pins(lock):
    """Version by package; one that is pinned by platform has several."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    found = re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", text, flags=re.MULTILINE)
    return {name: {version for other, version in found if other == name} for name, _ in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_hashes_and_no_place_it_comes_from(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_tests_run_with_what_operators_install(lock):
    in_tests = pins("requirements-dev.lock")
    assert {name: versions for name, versions in pins(lock).items() if in_tests.get(name) != versions} == {}

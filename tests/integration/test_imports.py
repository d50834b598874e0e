"""The arrows hold: an import that does not belong where it is planted is refused by the contract that forbids it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import source
from tests.support.plants import PLANTS

WIDE = {**os.environ, "COLUMNS": "200"}  # nothing said is broken into two lines
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(400)  # the whole tree is looked through several times


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` as `make check` runs it."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program], cwd=tree, env=WIDE, capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip


def copy_of_the_tree(copy):
    """What the contracts are about, and they."""
    for name in ("bridge", "broker", "clients"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "tests/__init__.py",
        "tests/support/__init__.py",
        "tests/support/allowed_imports.py",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


def test_the_tree_as_it_is_passes(tmp_path):
    done = lint(copy_of_the_tree(tmp_path))
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What is said of each plant's module. No file has two plants at once, so it is said of that plant."""
    heard = {}
    while waiting := [plant for plant in PLANTS if plant not in heard]:
        tree = copy_of_the_tree(tmp_path_factory.mktemp("tree"))
        planted = {plant.file: plant for plant in reversed(waiting)}.values()
        for plant in planted:
            before = (tree / plant.file).read_text("utf-8")
            (tree / plant.file).write_text(f"{before}\n{plant.text}", encoding="utf-8")
        lines = lint(tree).stdout.splitlines()
        for plant in planted:
            heard[plant] = [line for line in lines if re.search(rf"(?:^|\s){re.escape(plant.module)} ", line)]
    return heard


def test_no_two_plants_are_alike():
    assert len(PLANTS) == len(set(PLANTS)) >= 68


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.file} {plant.said}")
def test_each_plant_is_refused(said, plant):
    assert any(re.search(rf"{re.escape(plant.said)}(?![\w])", line) for line in said[plant]), said[plant]


def test_a_circle_within_a_room_is_refused(tmp_path):
    path = copy_of_the_tree(tmp_path) / "bridge/mail/fields.py"
    path.write_text(f"{path.read_text('utf-8')}\nfrom bridge.mail import headers\n", encoding="utf-8")
    assert "goes round in a circle BROKEN" in lint(tmp_path).stdout


def test_an_excuse_for_nothing_is_refused(tmp_path):
    path = copy_of_the_tree(tmp_path) / "bridge/mail/charsets.py"
    path.write_text(path.read_text("utf-8").replace("importlib.import_module", "str"), encoding="utf-8")
    assert "an excuse for nothing: bridge.mail.charsets" in lint(tmp_path).stdout


def pure_modules():
    """What is in a contract by which it names nothing but what is listed, with all below it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return {name for contract in contracts if contract["type"] == "allowed_imports" for name in contract["modules"]}


def test_what_says_that_it_is_pure_is_in_a_contract():
    """A module that says so at its top; for a package, all that is in it."""
    calls_itself = {
        name
        for name in source.modules()
        if re.search(r"\bpure\b", ast.get_docstring(source.tree(name)) or "", re.IGNORECASE)
    }
    assert len(calls_itself) > 25
    held = pure_modules()
    assert {name for name in calls_itself if not any(f"{name}.".startswith(f"{each}.") for each in held)} == set()


def test_whatever_is_ignored_is_explained():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.importlinter]")[2].splitlines()
    assert [line for line in lines if (" -> " in line or " names " in line) and " # " not in line] == []

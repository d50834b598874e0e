"""No circle, neither among modules nor among rooms, with every import counted (docs/decisions/0012-rooms.md)."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.support import source


def between_rooms(arrows):
    rooms = {}
    for module, imported in arrows.items():
        here = rooms.setdefault(source.room(module), set())
        here |= {source.room(each) for each in imported} - {source.room(module)}
    return rooms


@pytest.fixture(scope="module")
def arrows():
    return {module: source.imports(module) for module in source.modules()}


def test_no_circle_among_modules(arrows):
    assert sum(map(len, arrows.values())) > 400
    assert source.circle(arrows) == []


def test_no_circle_among_rooms(arrows):
    rooms = between_rooms(arrows)
    assert "bridge.ingress" in rooms["bridge.daemon"]
    assert source.circle(rooms) == []


def test_the_page_has_the_layers_that_are_checked():
    page = (source.ROOT / "docs" / "architecture.md").read_text("utf-8")
    block = page.partition("\n## Layers\n")[2].split("```")[1].strip()
    assert [line.split("  ")[0] for line in block.splitlines()] == source.layers()


def test_the_way_that_is_drawn_climbs_where_it_says():
    record = (source.ROOT / "docs" / "decisions" / "0012-rooms.md").read_text("utf-8")
    way = next(line for line in record.splitlines() if line.startswith("ingress →"))
    depth = {room: down for down, line in enumerate(source.layers()) for room in line.split(" | ")}
    rooms = [room for room in re.findall(r"\w+", way) if room in depth]
    assert rooms[0] == "ingress"
    assert rooms[-1] == "publish"
    climbs = [(here, there) for here, there in itertools.pairwise(rooms) if depth[there] < depth[here]]
    assert climbs == re.findall(r"(\w+) ⤴ (\w+)", way)
    assert len(climbs) <= 2


def test_a_circle_is_found():
    assert set(source.circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}
    assert source.circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []

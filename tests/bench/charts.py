"""Charts as small SVG files: pygal draws them; scripts, and what is shown on pointing at something, are left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pygal
from pygal.style import Style

if TYPE_CHECKING:
    from tests.bench.result import Chart

COLOURS = ("#1b6ca8", "#e08e0b", "#6a994e", "#b23a48", "#6d597a", "#5f6b73", "#00a6a6", "#c77dff")
STYLE = Style(font_family="sans-serif", title_font_size=15, label_font_size=11, legend_font_size=11)
CSS = """
rect.background { fill: white }
text { fill: #333; stroke: none }
text.title { text-anchor: middle }
.axis.x text { text-anchor: middle }
.axis.y text { text-anchor: end }
.axis .line, .axis path { stroke: #ccc; fill: none }
.series .line { fill: none; stroke-width: 2 }
""" + "".join(f".color-{n} {{ fill: {colour}; stroke: {colour} }}\n" for n, colour in enumerate(COLOURS))
"""In the place of pygal's own, which is ten times as long."""
WIDTH, HEIGHT, BAR, AROUND = 760, 380, 11, 130


def svg(chart: Chart) -> str:
    """The same picture for the same figures, to the byte: lines over numbers, lying bars for words."""
    settings: dict[str, Any] = {
        "style": STYLE,
        "css": ("inline:" + CSS,),
        "js": (),
        "title": chart.title,
        "x_title": chart.x_title or None,
        "y_title": chart.y_title or None,
        "logarithmic": chart.logarithmic,
        "width": WIDTH,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": 2,
        "truncate_legend": -1,
        "truncate_label": -1,
        "disable_xml_declaration": True,
    }
    drawn: Any
    if chart.lines:
        drawn = pygal.XY(height=HEIGHT + 9 * len(chart.series), **settings)
        xs = [float(x) for x in chart.x]
        places = list(map(math.log10, xs)) if chart.logarithmic else xs  # pygal leaves the x axis of XY linear
        drawn.x_labels = [{"value": place, "label": f"{x:,.0f}"} for place, x in zip(places, xs, strict=True)]
        for name, values in chart.series.items():
            drawn.add(name, [(place, y) for place, y in zip(places, values, strict=True) if y is not None])
    else:
        height = AROUND + (BAR * len(chart.series) + 5) * len(chart.x) + 9 * len(chart.series)
        drawn = pygal.HorizontalBar(height=height, **settings)
        drawn.x_labels = list(reversed(chart.x))
        for name, values in chart.series.items():
            drawn.add(name, list(reversed(values)))
    if chart.logarithmic:
        drawn.y_labels = powers([y for values in chart.series.values() for y in values if y])
        drawn.zero = drawn.y_labels[0]  # where bars begin
    drawn.uuid = chart.name  # in the place of one by chance
    drawn.add_xml_filter(still)
    return drawn.render(is_unicode=True) + "\n"


def powers(values: list[float]) -> list[float]:
    """The powers of ten around values that are positive."""
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(least, max(most, least + 1) + 1)]


def still(root: Any) -> Any:
    """The picture without what moves or is shown over it, and without the day on which it was drawn."""
    for parent in list(root.iter()):
        for child in list(parent):
            moves = callable(child.tag) or child.tag.endswith(("script", "desc", "title"))
            if moves or child.get("class", "").endswith(("text-overlay", "tooltip-overlay", "tooltip")):
                parent.remove(child)
    return root

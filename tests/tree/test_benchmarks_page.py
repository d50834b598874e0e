"""The report of the benchmarks: written from what was kept, beside what people wrote, and the page is up to date."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.bench import charts, payload, polling, report, throughput
from tests.bench.result import Chart, MiscountError, Result, Table, agree, exponent, read, shown
from tests.bench.sinks import SINKS
from tests.bench.suite import Options
from tests.bench.throughput import CASES, Outcome
from tests.mail import own

FOLDER = report.PAGE.with_suffix("")
BARS = Chart("bars", "Bars", ["a", "b"], {"one": [1.0, 2000.0], "two": [None, 3.0]}, logarithmic=True)
LINES = Chart("lines", "Lines", [1, 10, 100], {"one": [1.0, 2.0, 4.0]}, "x", "y", logarithmic=True)
FOUND = Result(
    "payload", "Title", "About.", "So.", [Table("T", ["", "n"], [["row", 1234.5], ["other", None]], "N.")], [BARS]
)


def test_the_page_says_what_was_kept():
    results = [read(FOLDER / f"{suite}.json") for suite in report.SUITES if (FOLDER / f"{suite}.json").exists()]
    assert report.generated(results, FOLDER.name) in report.PAGE.read_text("utf-8"), "make bench ARGS='report --render'"
    drawn = {chart.name: charts.svg(chart) for result in results for chart in result.charts}
    assert {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.svg")} == drawn


def test_what_people_wrote_stays_where_it_is(tmp_path):
    page, folder = tmp_path / "page.md", tmp_path / "page"
    folder.mkdir()
    FOUND.write(folder / "payload.json")
    page.write_text("# By hand\n\nbefore\n")
    report.render(page, folder)
    page.write_text(page.read_text("utf-8") + "after\n", "utf-8")
    once = page.read_text("utf-8")
    report.render(page, folder)
    assert page.read_text("utf-8") == once
    assert once.startswith("# By hand\n\nbefore\n\n" + report.BEGIN)
    assert once.endswith(report.END + "\nafter\n")
    assert "| row | 1,234 |\n| other | – |" in once
    assert "![Bars](page/bars.svg)" in once


def test_where_a_benchmark_fails_nothing_is_written(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("as it was")
    assert report.main(["--page", str(page), "--only", "nothing_of_that_name"]) == 1
    assert page.read_text() == "as it was"
    assert "nothing is written: tests.bench.nothing_of_that_name" in capsys.readouterr().err


def test_what_was_kept_is_read_again(tmp_path):
    FOUND.write(tmp_path / "x.json")
    assert read(tmp_path / "x.json") == FOUND


@pytest.mark.parametrize("chart", [BARS, LINES], ids=["bars", "lines"])
def test_a_chart_is_a_small_picture_that_loads_and_runs_nothing(chart):
    drawn = charts.svg(chart)
    assert drawn == charts.svg(chart)
    assert len(drawn) < 12_000
    root = ET.fromstring(drawn)
    assert "one" in "".join(root.itertext())
    assert not any(each.tag.endswith("script") or "href" in each.attrib for each in root.iter())


@pytest.mark.parametrize(
    ("values", "around"), [([3, 250], [1, 10, 100, 1000]), ([0.02], [0.01, 0.1]), ([10], [10, 100])]
)
def test_powers_of_ten_stand_around_the_values(values, around):
    assert charts.powers(values) == around


def test_an_exponent_is_that_of_a_power():
    assert exponent([1, 10, 100], [5, 5, 5]) == pytest.approx(0)
    assert exponent([1, 10, 100], [3, 30, 300]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("figure", "text"), [(None, "–"), (0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234"), (7, "7"), ("x", "x")]
)
def test_figures_have_three_digits(figure, text):
    assert shown(figure) == text


def test_counts_that_agree_are_let_through():
    agree("it", 3, kept=3, received=3)
    with pytest.raises(MiscountError, match="no figure for it: 3 expected, 3 kept, 2 received"):
        agree("it", 3, kept=3, received=2)


def test_rates_stand_beside_what_they_cost():
    names = (*SINKS, throughput.ACCEPTED, throughput.DEVICE)
    found = {case.name: {name: [Outcome(mails=2000, took_s=2.0, used_s=0.5)] for name in names} for case in CASES}
    result = throughput.told(CASES, found, 1)
    rates, ratios = result.tables
    assert rates.rows[0][:3] == [CASES[0].name, 2000, "1,000 · 0.25"]
    assert set(ratios.rows[0][1:]) == {1.0}
    assert {case.connections for case in CASES} == {10, 100}
    assert {case.users for case in CASES} == {1, 10, 100, 1000}
    assert {case.recipients for case in CASES} == {1, 10, 100}


def test_a_search_for_the_longest_interval_costs_five_pings_in_its_first_hour():
    assert polling.searching() == 5  # after 4, 10, 19, 32.5 and 52.75 minutes


def test_every_header_is_smaller_than_the_same_with_names():
    for path in own():
        sizes = payload.forms(path.read_bytes())
        assert sizes[payload.OURS] < sizes["MessagePack with names"] <= sizes["JSON"]
        assert sizes[payload.OURS] <= payload.LIMIT


def test_the_smallest_run_of_a_benchmark_makes_a_result():
    result = payload.measure(Options(small=True))
    assert result.suite in report.SUITES
    assert len(result.tables[0].rows) == 7

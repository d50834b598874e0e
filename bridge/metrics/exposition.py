"""The metrics as Prometheus reads them, in a registry of their own."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bridge.metrics.catalogue import FAMILIES, LATENCY, LATENCY_HELP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.metrics.family import Family
    from bridge.metrics.readings import Readings
    from bridge.tally import Histogram

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The text format that every version of Prometheus reads."""


class Exposition:
    """Makes the page; the process's own metrics (`process_…`) are the library's."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._ours = _Ours()
        self._registry.register(self._ours)
        ProcessCollector(registry=self._registry)

    def page(self, readings: Readings) -> bytes:
        """All metrics as text. For one caller at a time."""
        self._ours.readings = readings
        return generate_latest(self._registry)


class _Ours(Collector):
    def __init__(self) -> None:
        self.readings: Readings | None = None

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that the registry does not ask for readings before there are any."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every metric that there is something to tell of."""
        assert self.readings is not None
        for family in FAMILIES:
            yield _metric(family, self.readings)
        yield _histogram(self.readings.tally.latency)


def _metric(family: Family, readings: Readings) -> Metric:
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = make(family.name, family.help, labels=family.labels)
    for labels, value in family.samples(readings):
        metric.add_metric(labels, float(value))
    return metric


def _histogram(histogram: Histogram) -> Metric:
    bounds = [*map(floatToGoString, histogram.bounds_s), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))
    return HistogramMetricFamily(LATENCY, LATENCY_HELP, buckets=buckets, sum_value=histogram.sum_s)

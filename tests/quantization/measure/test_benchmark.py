"""Latency: both graphs in turns, medians, and an end."""

from __future__ import annotations

import pytest

from intel_quantization.measure import benchmark


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Slow:
    """A Runner that takes the next of ``seconds``, again and again."""

    def __init__(self, name, clock, order, seconds):
        self._name, self._clock, self._order, self._seconds = name, clock, order, seconds
        self._calls = 0

    def run(self, _feed):
        self._order.append(self._name)
        self._clock.now += self._seconds[self._calls % len(self._seconds)]
        self._calls += 1


def measured(fp32, int8):
    clock, order = Clock(), []
    result = benchmark.measure(Slow("fp32", clock, order, fp32), Slow("int8", clock, order, int8), {}, 1, clock)
    return result, order


def test_medians_in_milliseconds_and_their_ratio():
    result, _ = measured([0.004, 0.004, 0.1, 0.004, 0.004], [0.001, 0.001, 0.2, 0.001, 0.001])
    assert result.fp32_ms == pytest.approx(4)
    assert result.int8_ms == pytest.approx(1)
    assert result.speedup == pytest.approx(4)
    assert result.batch == 1


def test_the_graphs_take_turns():
    _, order = measured([0.001], [0.001])
    assert order == ["fp32", "int8"] * (len(order) // 2)


def test_fast_graphs_are_run_often_and_slow_ones_not_for_ever():
    assert measured([0.001], [0.001])[0].runs == benchmark.MOST_RUNS
    assert measured([30], [10])[0].runs == benchmark.LEAST_RUNS
    assert benchmark.LEAST_RUNS < measured([0.2], [0.1])[0].runs < benchmark.MOST_RUNS

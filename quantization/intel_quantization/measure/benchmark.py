"""Latency of two graphs, measured in turns, so that whatever slows the machine down slows both."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable

from intel_quantization.data.given import FeedDict
from intel_quantization.measure.runner import Runner

WARM_UP = 3
LEAST_RUNS = 10
MOST_RUNS = 100
BUDGET_SECONDS = 6.0


@dataclass(frozen=True)
class Latency:
    """Median milliseconds of one run over ``batch`` images, and FP32 / INT8 as ``speedup``; ``runs`` of each graph."""

    batch: int
    fp32_ms: float
    int8_ms: float
    speedup: float
    runs: int


def measure(
    fp32: Runner,
    int8: Runner,
    feed: FeedDict,
    batch: int,
    clock: Callable[[], float] = time.perf_counter,
    seconds: float = BUDGET_SECONDS,
) -> Latency:
    """Time ``fp32`` and ``int8`` alternately on the same ``feed``.

    At least LEAST_RUNS of each, then more until ``seconds`` have passed or MOST_RUNS are done.

    Args:
        fp32, int8: run once each in turn.
        feed: one feed dict of ``batch`` images.
    """
    for _ in range(WARM_UP):
        fp32.run(feed)
        int8.run(feed)
    times: tuple[list[float], list[float]] = ([], [])
    begin = clock()
    while len(times[0]) < MOST_RUNS and (len(times[0]) < LEAST_RUNS or clock() - begin < seconds):
        for runner, taken in zip((fp32, int8), times):
            start = clock()
            runner.run(feed)
            taken.append(clock() - start)
    before, after = (statistics.median(taken) * 1000 for taken in times)
    return Latency(batch, before, after, before / after if after else 1.0, len(times[0]))

"""How fast graphs are, in turns, with spread; and what loading one takes, in a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from intel_quantization.child import run_module
from intel_quantization.graph.io import write_graph
from intel_quantization.looking.pair import Looked
from intel_quantization.measure.runner import Runner

SECONDS = 5.0
LEAST_RUNS, MOST_RUNS, WARM_UP = 10, 200, 3
THROUGHPUT_BATCH = 16
_LOADED = "loaded.json"


@dataclass(frozen=True)
class Speed:
    """Milliseconds of one run of ``batch`` samples: the median, the 10th and the 90th percentile, of ``runs``."""

    label: str
    batch: int
    median: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Loading:
    """What it takes to have a graph: milliseconds until the first answer is there, and the peak of memory in bytes."""

    label: str
    ms: float
    peak: int
    size: int


def measure_speed(runners: Sequence[Runner], labels: Sequence[str], feed: Dict[str, Any], batch: int) -> List[Speed]:
    """Run some graphs alternately on the same feed, so that whatever disturbs one disturbs all.

    Args:
        runners: of the graphs.
        labels: what they are called.
        feed: of ``batch`` samples, by the names of the first graph's inputs.
        batch: as told.
    """
    for _ in range(WARM_UP):
        for runner in runners:
            runner.run(feed)
    taken: List[List[float]] = [[] for _ in runners]
    begin = time.perf_counter()
    while len(taken[0]) < MOST_RUNS and (len(taken[0]) < LEAST_RUNS or time.perf_counter() - begin < SECONDS):
        for runner, times in zip(runners, taken):
            start = time.perf_counter()
            runner.run(feed)
            times.append(1000.0 * (time.perf_counter() - start))
    result = []
    for label, times in zip(labels, taken):
        median, low, high = (float(value) for value in np.percentile(times, (50, 10, 90)))
        result.append(Speed(label, batch, median, low, high, len(times)))
    return result


def measure_loading(looked: Looked, feed: Dict[str, Any], threads: Optional[int]) -> Optional[Loading]:
    """Load a graph in a process of its own and run it once; None where that process ends badly."""
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        write_graph(looked.graph, os.path.join(folder, "graph.pb"))
        with open(os.path.join(folder, "feed.pickle"), "wb") as stream:
            pickle.dump((looked.own(feed), looked.outputs, threads), stream)
        if run_module("intel_quantization.looking.load", folder):
            return None
        with open(os.path.join(folder, _LOADED), encoding="utf-8") as stream:
            found = json.load(stream)
    return Loading(looked.label, found["ms"], found["peak"], size_of(looked.path))


def size_of(path: str) -> int:
    """Bytes of a file, or of all files of a folder."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(root, name)) for root, _folders, files in os.walk(path) for name in files)

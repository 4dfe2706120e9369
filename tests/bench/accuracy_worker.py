"""One step of accuracy.py in a process of its own, under PYTHONPATH of the revision that it is to measure.

Usage: accuracy_worker.py STEP JOB.pickle     STEP is reference, convert, judge or speed; the job names its result
"""

from __future__ import annotations

import hashlib
import inspect
import pickle
import sys
import time
from pathlib import Path

import answers
import graph_runs
import numpy as np
import real_data
from real_graphs import Case

_BATCH = 2  # the command's


def log_scores(rows: np.ndarray) -> np.ndarray:
    """Centred log-softmax of probabilities, as intel_quantization.data.class_scores.log_scores has it."""
    rows = np.log(np.maximum(rows.reshape(len(rows), -1).astype(np.float64), np.finfo(np.float32).tiny))
    return rows - rows.mean(axis=1, keepdims=True)


def reference(job: dict) -> dict:
    """The FP32 graph's answers to all samples, and its compared tensors as files."""
    case, samples = job["case"], real_data.load(job["case"], job["data"])
    if case.size is None:
        real_data.load(case, job["data"], (300, 300))  # for a peer, which takes one array
    measure, files = answers.measure_of(case, samples), {}

    def keep(rows, values):
        for number, value in enumerate(values):
            if number not in files:
                path = job["folder"] / f"{case.graph}.{number}.npy"
                shape = (len(samples), *value.shape[1:])
                files[number] = path, np.lib.format.open_memmap(path, "w+", value.dtype, shape)
            files[number][1][rows] = value[: len(rows)]

    graph_def = graph_runs.read(case.path)
    found = graph_runs.answer(case, samples, graph_def, np.arange(len(samples)), measure.reduce, keep)
    return {"answers": found, "compared": [files[number][0] for number in sorted(files)]}


def judged(job: dict, samples: real_data.Samples, graph_def, rows: np.ndarray) -> dict:
    """What an INT8 graph answers, its signal and noise, and its share of INT8 multiply-accumulates."""
    case = job["case"]
    wanted = [np.load(path, mmap_mode="r") for path in job["compared"]]
    power = np.zeros(2)

    def compare(some, values):
        for reference_values, value in zip(wanted, values, strict=True):
            pair = [reference_values[some], value[: len(some)]]
            before, after = (log_scores(each) if case.measure == "top1" else each.astype(np.float64) for each in pair)
            power[:] += np.square(before).sum(), np.square(before - after).sum()

    found = graph_runs.answer(case, samples, graph_def, rows, answers.measure_of(case, samples).reduce, compare)
    feed = {case.source: samples.batch(case, rows[:1])}
    return {"answers": found, "power": power, "macs": graph_runs.int8_share(graph_def, feed)}


def algorithm() -> str:
    """The command's default."""
    try:
        from intel_quantization.contract.words import ALGORITHMS
    except ImportError:  # a revision before
        from intel_quantization.run import ALGORITHM

        return ALGORITHM
    return ALGORITHMS[0]


class SharedCalibration:
    """Lets conversions that differ in what they make of the statistics alone share one calibration, for time's sake.

    For the revision before, whose statistics are known not to be changed by their users.
    """

    def __init__(self, calibrate) -> None:
        self._calibrate = calibrate
        self.begin()

    def begin(self) -> None:
        """Forget all: other data come."""
        self._known: dict = {}
        self.spared = 0.0

    def __call__(self, graph_def, observed, feed, on_progress, *arguments, **options):
        key = hashlib.sha256(graph_def.SerializeToString(deterministic=True)).digest(), observed, repr(arguments)
        known = self._known.get(key)
        if known is None:
            start = time.perf_counter()
            statistics = self._calibrate(graph_def, observed, feed, on_progress, *arguments, **options)
            known = self._known[key] = statistics, time.perf_counter() - start
            self.spared = 0.0
        else:
            self.spared = known[1]
        return known[0]


def convert(job: dict) -> list[dict]:
    """Convert with the package of this process and judge, once for each fold and variant."""
    import tensorflow as tf

    from intel_quantization.graph_converter import GraphConverter

    try:
        from intel_quantization.stages import calibrate as stage
    except ImportError:  # a revision before
        from intel_quantization import graph_converter as stage

    case: Case = job["case"]
    samples = real_data.load(case, job["data"])
    known = inspect.signature(GraphConverter).parameters
    results = []
    shared = None
    if job.get("share"):
        shared = stage.calibrate = SharedCalibration(stage.calibrate)
    for number, (chosen, others) in enumerate(job["folds"]):
        if shared is not None:
            shared.begin()
        for variant in job["variants"]:
            options = {"algo": algorithm(), "threads": 1, **job["set"]}
            unknown = [name for name in options if name not in known]
            if unknown:
                raise SystemExit(f"GraphConverter has no {', '.join(unknown)}")
            feed = real_data.Feed(case, samples, chosen, 1 if case.batch == 1 else _BATCH)
            start = time.perf_counter()
            try:
                conversion = GraphConverter(
                    graph_runs.read(case.path), per_channel=variant == "per_channel", calibration_data=feed, **options
                ).convert()
                seconds = time.perf_counter() - start + (0 if shared is None else shared.spared)
                found = judged(job, samples, conversion.graph, others)
            except (ValueError, tf.errors.OpError) as error:
                results.append({"variant": variant, "error": f"{type(error).__name__}: {error}"})
                continue
            if number == 0 and job["keep"]:
                Path(f"{job['keep']}.{variant}.pb").write_bytes(conversion.graph.SerializeToString())
            results.append({"variant": variant, "seconds": seconds, **found})
    return results


def judge(job: dict) -> dict:
    """Judge a graph that a peer made."""
    return judged(job, real_data.load(job["case"], job["data"]), graph_runs.read(job["graph"]), job["rows"])


def speed(job: dict) -> dict[str, float]:
    """Median milliseconds of graphs, batch 1."""
    case, samples = job["case"], real_data.load(job["case"], job["data"])
    graphs = {name: graph_runs.read(path) for name, path in job["graphs"].items()}
    return graph_runs.medians(graphs, case, {case.source: samples.batch(case, [len(samples) - 1])})


if __name__ == "__main__":
    task = pickle.loads(Path(sys.argv[2]).read_bytes())
    step = {"reference": reference, "convert": convert, "judge": judge, "speed": speed}[sys.argv[1]]
    Path(task["result"]).write_bytes(pickle.dumps(step(task)))

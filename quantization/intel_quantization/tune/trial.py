"""``python -m intel_quantization.tune.trial FOLDER``: judge one INT8 graph in a process of its own.

A bad INT8 graph can end TensorFlow with the whole process; then the search goes on without it. The folder holds the
request (``request.pickle``), both graphs, and FP32's answers once the first trial has made them.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from dataclasses import asdict, dataclass
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
from tensorflow.core.framework import graph_pb2

from intel_quantization import job as jobs
from intel_quantization.child import end_with_parent
from intel_quantization.data.dataset import batch_of
from intel_quantization.errors import QuantizationError
from intel_quantization.job_data import open_data
from intel_quantization.measure import benchmark, evaluate
from intel_quantization.measure.custom import Custom
from intel_quantization.measure.runner import Answering, Runner

REQUEST, FP32, INT8, ANSWERS, RESULT = "request.pickle", "fp32.pb", "int8.pb", "answers.pickle", "result.json"
_SECONDS = 1.0
_MOST_BYTES = 256 << 20  # of FP32's answers that are kept


@dataclass(frozen=True)
class Request:
    """What a trial has to know.

    Attributes:
        job: of the run.
        inputs: the graph's, TensorInfos.
        outputs: names of tensors.
        mode: the preprocessing, or None.
        seed: of the run.
        samples: that are set aside for calibrating; None: as many as suffice.
    """

    job: jobs.Job
    inputs: Tuple[Any, ...]
    outputs: Tuple[str, ...]
    mode: Any
    seed: int
    samples: Optional[int]


@dataclass(frozen=True)
class Result:
    """What a trial found: points lost with their interval, the metric, and milliseconds; or why it failed."""

    points: float = 0.0
    low: float = 0.0
    high: float = 0.0
    metric: str = ""
    ms: float = 0.0
    failed: str = ""


class _Remembered(Answering):
    """A graph's answers to a feed, from a file or from the graph, which then are written there."""

    def __init__(self, path: str, runner: Optional[Runner]) -> None:
        self._path = path
        self._runner = runner
        self._kept: List[List[np.ndarray]] = []
        self._bytes = 0
        self._known: Optional[Iterator[List[np.ndarray]]] = None
        if os.path.exists(path):
            with open(path, "rb") as stream:
                self._known = iter(pickle.load(stream))  # written by the trial before

    def run(self, feed: dict[str, np.ndarray]) -> List[np.ndarray]:
        """The outputs for the next feed."""
        if self._known is not None:
            return next(self._known)
        assert self._runner is not None  # where nothing is known
        found = [np.asarray(value) for value in self._runner.run(feed)]
        self._bytes += sum(value.nbytes for value in found)
        self._kept = [*self._kept, found] if self._bytes <= _MOST_BYTES else []
        return found

    def keep(self) -> None:
        """Write what was found, unless that is too much."""
        if self._known is None and self._bytes <= _MOST_BYTES:
            with open(self._path, "wb") as stream:
                pickle.dump(self._kept, stream)


def judge(folder: str) -> Result:
    """Judge the INT8 graph of a folder.

    Raises:
        QuantizationError: the graph does not run, or there is nothing to judge by.
    """
    with open(os.path.join(folder, REQUEST), "rb") as stream:
        request: Request = pickle.load(stream)  # written by the run
    job = request.job
    data = open_data(job, request.inputs, request.seed, request.samples)
    part = data.split.evaluation
    custom = None
    if job.metric is not None:
        path, name = job.metric.rsplit(":", 1)
        custom = Custom(jobs.path(path), name, request.outputs)
    graphs = [_read(os.path.join(folder, name)) for name in (FP32, INT8)]
    with Runner(graphs[0], request.outputs, job.threads, "the FP32 graph") as fp32, Runner(
        graphs[1], request.outputs, job.threads, "the INT8 graph"
    ) as int8:
        remembered = _Remembered(os.path.join(folder, ANSWERS), fp32)
        feed = data.feed(part, request.mode, job.batch_size)
        accuracy = evaluate.compare(remembered, int8, feed, data.labelling, None, request.outputs, custom)
        remembered.keep()
        one = next(iter(data.feed(part[:1], request.mode, 1)))
        latency = benchmark.measure(fp32, int8, one, batch_of(one), seconds=_SECONDS)
    return outcome_of(accuracy, latency.int8_ms)


def outcome_of(accuracy: evaluate.Accuracy, ms: float) -> Result:
    """What is lost by the first measure; without labels, the share of other answers is the most that may be.

    Raises:
        QuantizationError: there is nothing to judge by.
    """
    if accuracy.measures:
        first = accuracy.measures[0]
        return Result(first.points, first.low, first.high, first.metric, ms)
    if accuracy.agreement is not None:
        lost = 100.0 - accuracy.agreement
        return Result(lost, lost, lost, "answers", ms)
    raise QuantizationError("there is nothing to judge by", "give --labels, or a --metric")


def _read(path: str) -> graph_pb2.GraphDef:
    graph = graph_pb2.GraphDef()
    with open(path, "rb") as stream:
        graph.ParseFromString(stream.read())
    return graph


def main(folder: str) -> None:
    """Judge, and write the Result as JSON beside the request; ends with the process that started it."""
    end_with_parent()
    try:
        result = judge(folder)
    except QuantizationError as error:
        result = Result(failed=error.message)
    with open(os.path.join(folder, RESULT), "w", encoding="utf-8") as stream:
        json.dump(asdict(result), stream)


if __name__ == "__main__":
    main(sys.argv[1])

"""Calibrate by an outside command: the user's own inference program runs a graph that records what it sees."""

from __future__ import annotations

import math
import os
import shutil
import signal
import tempfile
import time
from typing import Callable, List, Mapping, Optional, Sequence

from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.command import GRAPH, Command, display
from intel_quantization.calibration.recorders import Recorder, add_recorders
from intel_quantization.calibration.records import Records
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.errors import BadInputError, CalibrationCommandError
from intel_quantization.graph import tensors
from intel_quantization.graph.control_flow import context_of, contexts
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.io import fingerprint, write_graph
from intel_quantization.graph.session import trim_memory

DEFAULT_SAMPLES = 100
PATIENCE_SECONDS = 600.0
_TICK_SECONDS = 0.1
GRAPH_FILE = "fp32_calibration_graph.pb"


def calibrate_by_command(
    graph_def: graph_pb2.GraphDef,
    observed: Sequence[str],
    command: Sequence[str],
    inputs: Sequence[str],
    *,
    channel_means: Sequence[str] = (),
    histograms: bool = False,
    samples: int = DEFAULT_SAMPLES,
    on_samples: Optional[Callable[[int], None]] = None,
    on_output: Optional[Callable[[str], None]] = None,
    variables: Optional[Mapping[str, str]] = None,
    patience: float = PATIENCE_SECONDS,
) -> Statistics:
    """Let a command run inference on an FP32 graph, and collect the statistics of some of its tensors.

    The command gets the graph in a file, with recorders in it. Once ``samples`` are in, all processes of the
    command are ended, which counts as success; so a program may go through a data set of any size.

    Args:
        graph_def: the FP32 graph; left as it is.
        observed: float32 tensors, also of loops and branches. One that never ran keeps the count 0.
        command: program and arguments, with ``{}`` where the path of the graph is to be;
            :func:`~intel_quantization.calibration.command.command_words` makes them of a text.
        inputs: tensors that the graph is fed through; their leading dimension is the batch.
        channel_means: those of the observed tensors whose channels are summed up, too.
        histograms: also collect histograms (of a regular sample of the values).
        samples: how many are enough.
        on_samples: called with the number of samples so far, when it has changed.
        on_output: called with each line of the command's output, from another thread.
        variables: environment variables for the command, besides those of this process.
        patience: seconds without a single record after which the command counts as hung.

    Returns:
        The same as :func:`~intel_quantization.calibration.instrument.calibrate` for the same batches, up to the
        rounding of float32: the command may run the graph with other optimizations.

    Raises:
        BadInputError: the program does not exist, or a tensor is not finite on its data.
        CalibrationCommandError: it failed before enough samples were in, never ran the graph, or hung.
    """
    seen = [tensors.canonical(name) for name in observed]
    counters = [tensors.canonical(name) for name in inputs]
    summed = frozenset(tensors.canonical(name) for name in channel_means)
    recorders = [Recorder(name, True, name in summed, histograms) for name in seen]
    recorders += [Recorder(name, values=False) for name in counters if name not in seen]
    directory = tempfile.mkdtemp(prefix="calibration-")  # for this user only
    try:
        records = Records(os.path.join(directory, "records"), recorders)
        path = os.path.join(directory, GRAPH_FILE)
        steady = _write_graph(graph_def, records, path)
        words = [word.replace(GRAPH, path) for word in command]
        with Command(words, directory, on_output, variables) as running:
            watch = _Watch(running, records, counters or seen, steady, samples, on_samples)
            status = watch.follow(patience)
        if status is not None:
            watch.check(status, command)
        return Statistics(fingerprint(graph_def), watch.total(), records.tensors)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _write_graph(graph_def: graph_pb2.GraphDef, records: Records, path: str) -> List[str]:
    """Write the graph with its recorders; returns the tensors that are made once in every run."""
    graph = Graph(graph_def)
    known = contexts(graph)
    valued = [item.tensor for item in records.recorders if item.values]
    steady = [name for name in valued if not context_of(graph, known, name)]
    add_recorders(graph, records.recorders, records.directory)
    instrumented = graph.to_graph_def()
    del graph
    write_graph(instrumented, path)
    del instrumented
    trim_memory()
    return steady


class _Watch:
    """Reads the records while the command writes them."""

    def __init__(
        self,
        running: Command,
        records: Records,
        counters: Sequence[str],
        steady: Sequence[str],
        samples: int,
        on_samples: Optional[Callable[[int], None]],
    ) -> None:
        self._running = running
        self._records = records
        self._counters = counters
        self._steady = steady
        self._samples = samples
        self._on_samples = on_samples
        self._told = 0

    def follow(self, patience: float) -> Optional[int]:
        """Wait until enough samples are in (None), or the command has ended (its exit status)."""
        alive = time.monotonic()
        while True:
            status = self._running.poll()  # first: what it wrote before it ended is read below
            if self._records.read():
                alive = time.monotonic()
                _check_finite(self._records)
            self._tell(self._records.done(self._counters, self._steady))
            if self._told >= self._samples:
                return None
            if status is not None:
                self._tell(self.total())
                return status
            if time.monotonic() - alive > patience:
                raise CalibrationCommandError(
                    "the calibration command has not run the graph for %g s, after %s%s"
                    % (patience, self._progress(), self._last_lines()),
                    "see why it hangs: run it by hand on the FP32 graph",
                )
            time.sleep(_TICK_SECONDS)

    def total(self) -> int:
        """Samples of all runs that have begun."""
        return sum(self._records.batches(self._counters))

    def check(self, status: int, command: Sequence[str]) -> None:
        """What a command that ended by itself has to have done.

        Raises:
            CalibrationCommandError: it failed, or left no records.
        """
        remedy = "run it by hand on the FP32 graph: %s" % display(command)
        if status:
            raise CalibrationCommandError(
                "the calibration command %s, after %s%s" % (_ending(status), self._progress(), self._last_lines()),
                remedy,
            )
        if not any(found.count for found in self._records.tensors.values()):
            raise CalibrationCommandError(
                "the calibration command ended well, but did not run the graph it was given%s" % self._last_lines(),
                "it has to read the graph whose path stands in place of {}: %s" % display(command),
            )

    def _tell(self, done: int) -> None:
        if done > self._told:
            self._told = done
            if self._on_samples is not None:
                self._on_samples(min(done, self._samples))

    def _progress(self) -> str:
        return "%d of %d samples" % (min(self.total(), self._samples), self._samples)

    def _last_lines(self) -> str:
        lines = self._running.last_lines()
        return "; its last lines: " + lines if lines else "; it said nothing"


def _ending(status: int) -> str:
    if status <= 128:
        return "failed with exit code %d" % status
    number = status - 128
    name = next((item.name for item in signal.Signals if item == number), "")
    why = ", as when memory runs out" if number == signal.SIGKILL else ""
    return "was ended by signal %d%s%s" % (number, " (%s)" % name if name else "", why)


def _check_finite(records: Records) -> None:
    for name, found in records.tensors.items():
        if found.count and not (math.isfinite(found.minimum) and math.isfinite(found.maximum)):
            raise BadInputError(
                "tensor '%s' has infinite or undefined values on the data of the calibration command" % name,
                "check what the command feeds, and that the FP32 graph gives finite results",
            )

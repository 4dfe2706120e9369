"""Calibrate by an outside command: the user's own inference program runs a graph that records what it sees."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Callable, List, Mapping, Optional, Sequence

from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.by_command.command import GRAPH, Command
from intel_quantization.calibration.by_command.recorders import Recorder, add_recorders
from intel_quantization.calibration.by_command.records import Records
from intel_quantization.calibration.by_command.watch import Watch
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph import tensors
from intel_quantization.graph.control_flow import context_of, contexts
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.io import fingerprint, write_graph
from intel_quantization.graph.session import trim_memory

DEFAULT_SAMPLES = 100
PATIENCE_SECONDS = 600.0
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
    original: Optional[graph_pb2.GraphDef] = None,
    keep_graph: Optional[str] = None,
) -> Statistics:
    """Let a command run inference on an FP32 graph, and collect the statistics of some of its tensors.

    The command gets the graph in a file, with recorders in it. Once ``samples`` are in, all processes of the
    command are ended, which counts as success; so a program may go through a data set of any size.

    Args:
        graph_def: the FP32 graph; left as it is.
        observed: float32 tensors, also of loops and branches. One that never ran keeps the count 0.
        command: program and arguments, with ``{}`` where the path of the graph is to be;
            :func:`~intel_quantization.calibration.by_command.command.command_words` makes them of a text.
        inputs: tensors that the graph is fed through; their leading dimension is the batch.
        channel_means: those of the observed tensors whose channels are summed up, too.
        histograms: also collect histograms (of a regular sample of the values).
        samples: how many are enough.
        on_samples: called with the number of samples so far, when it has changed.
        on_output: called with each line of the command's output, from another thread.
        variables: environment variables for the command, besides those of this process.
        patience: seconds without a single record after which the command counts as hung.
        original: the graph as the command knows it; placeholders that ``graph_def`` lacks, such as a dropout's
            rate, are added, since the command may feed them.
        keep_graph: a path where the command's graph is kept, too.

    Returns:
        The same as :func:`~intel_quantization.calibration.instrument.calibrate` for the same batches, up to the
        rounding of float32: the command may run the graph with other optimizations.

    Raises:
        BadInputError: the program does not exist, or a tensor is not finite on its data.
        CalibrationCommandError: it failed before enough samples were in, never ran the graph, or hung.
    """
    seen = [tensors.canonical(name) for name in observed]
    nodes = {node.name for node in graph_def.node}
    counters = [tensors.canonical(name) for name in inputs if tensors.node_of(name) in nodes]
    recorders = _list_recorders(seen, counters, channel_means, histograms)
    directory = tempfile.mkdtemp(prefix="calibration-")  # for this user only
    try:
        records = Records(os.path.join(directory, "records"), recorders)
        path = os.path.join(directory, GRAPH_FILE)
        steady = _write_graph(graph_def, records, original or graph_def, path)
        if keep_graph is not None:
            shutil.copyfile(path, keep_graph)
        words = [word.replace(GRAPH, path) for word in command]
        with Command(words, directory, on_output, variables) as running:
            watch = Watch(running, records, counters or seen, steady, samples, on_samples)
            status = watch.follow(patience)
        if status is not None:
            watch.check(status, command)
        return Statistics(fingerprint(graph_def), watch.total(), records.tensors)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _list_recorders(
    seen: Sequence[str], counters: Sequence[str], channel_means: Sequence[str], histograms: bool
) -> List[Recorder]:
    """One for each tensor; those of tensors that only count samples keep no values."""
    summed = frozenset(tensors.canonical(name) for name in channel_means)
    recorders = [Recorder(name, True, name in summed, histograms) for name in seen]
    return recorders + [Recorder(name, values=False) for name in counters if name not in seen]


def _write_graph(graph_def: graph_pb2.GraphDef, records: Records, original: graph_pb2.GraphDef, path: str) -> List[str]:
    """Write the graph with its recorders; returns the tensors that are made once in every run."""
    graph = Graph(graph_def)
    known = contexts(graph)
    valued = [item.tensor for item in records.recorders if item.values]
    steady = [name for name in valued if not context_of(graph, known, name)]
    add_recorders(graph, records.recorders, records.directory)
    instrumented = graph.to_graph_def()
    _add_lacking_placeholders(instrumented, original)
    del graph
    write_graph(instrumented, path)
    del instrumented
    trim_memory()
    return steady


def _add_lacking_placeholders(graph_def: graph_pb2.GraphDef, original: graph_pb2.GraphDef) -> None:
    present = {node.name for node in graph_def.node}
    for node in original.node:
        if node.op in ("Placeholder", "PlaceholderWithDefault") and node.name not in present:
            added = graph_def.node.add(name=node.name, op="Placeholder")
            for key in ("dtype", "shape"):
                if key in node.attr:
                    added.attr[key].CopyFrom(node.attr[key])

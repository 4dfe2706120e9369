"""The calibrate stage: statistics of the optimized FP32 graph, by a feed, by a command, or of an earlier run."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Sequence

import numpy as np
import tensorflow as tf

from intel_quantization import __version__
from intel_quantization.calibration.by_command.callback import DEFAULT_SAMPLES, calibrate_by_command
from intel_quantization.calibration.instrument import calibrate
from intel_quantization.calibration.sensitivity.gradients import SAMPLES, measure_sensitivities
from intel_quantization.calibration.sensitivity.samples import KeptSamples
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import fingerprint
from intel_quantization.reading.load import Loaded
from intel_quantization.stages.optimize import Optimized

Feed = Dict[str, np.ndarray]


def calibrate_on_feed(
    optimized: Optimized,
    feed: Iterable[Feed],
    on_batch: Optional[Callable[[int], None]] = None,
    threads: int = 0,
    options: Optional[Mapping[str, Any]] = None,
) -> Statistics:
    """Run the graph over a feed.

    Args:
        optimized: the graph, and what is to be looked at.
        feed: batches, each a dict tensor name -> array.
        on_batch: called after each batch with the number of batches so far.
        threads: threads within an op, 0 for as many as there are cores.
        options: where the feed comes from, for the record: JSON-ready.

    Raises:
        BadInputError: the feed is empty, or the graph does not accept it.
        OutOfMemoryError: TensorFlow could not allocate a tensor.
        QuantizationError: an op failed.
    """
    digest, kept = FeedDigest(), KeptSamples(SAMPLES)
    statistics = calibrate(
        optimized.graph_def,
        optimized.observed,
        kept.of_each(digest.of_each(feed)),
        on_batch,
        optimized.sources,
        histograms=True,
        threads=threads,
        windows=optimized.windows,
    )
    statistics.origin = origin_of(digest.hexdigest(), options)
    measured = measure_sensitivities(optimized.graph_def, optimized.outputs, optimized.observed, kept.split(), threads)
    statistics.sensitivities, statistics.unmeasured = measured.by_tensor, measured.missing
    return statistics


def calibrate_by(
    optimized: Optimized,
    loaded: Loaded,
    command: Sequence[str],
    samples: Optional[int] = None,
    on_samples: Optional[Callable[[int], None]] = None,
    on_output: Optional[Callable[[str], None]] = None,
    keep_graph: Optional[str] = None,
    options: Optional[Mapping[str, Any]] = None,
) -> Statistics:
    """Let a command run inference on the graph; see :func:`calibrate_by_command`.

    Args:
        optimized: the graph, and what is to be looked at.
        loaded: the graph as the command knows it.
        command: its words.
        samples: how many are enough; None: 100.
        on_samples: called with the number of samples so far, when it has changed.
        on_output: called with each line of the command's output, from another thread.
        keep_graph: a path where the command's graph is kept, too.
        options: for the record: JSON-ready.

    Raises:
        BadInputError: the program does not exist, or a tensor is not finite on its data.
        CalibrationCommandError: it failed before enough samples were in, never ran the graph, or hung.
    """
    statistics = calibrate_by_command(
        optimized.graph_def,
        optimized.observed,
        tuple(command),
        [info.name for info in loaded.inputs],
        channel_means=optimized.sources,
        histograms=True,
        samples=samples or DEFAULT_SAMPLES,
        on_samples=on_samples,
        on_output=on_output,
        original=loaded.graph_def,
        keep_graph=keep_graph,
    )
    statistics.origin = origin_of(None, options)  # nobody but the command has seen its data
    return statistics


def use_statistics(optimized: Optimized, statistics: Statistics) -> Statistics:
    """The statistics of an earlier run, if they are of this graph.

    Args:
        optimized: the graph.
        statistics: what that run saw.

    Raises:
        BadInputError: they are of another graph, or lack tensors, since other ops were excluded.
    """
    graph = fingerprint(optimized.graph_def)
    if statistics.graph != graph:
        raise BadInputError(
            "the statistics are of another graph: its SHA-256, when optimized, is %s, and of this one %s"
            % (_shorten(statistics.graph), _shorten(graph)),
            "calibrate this graph; inputs, outputs, target and TensorFlow must be those of that run, too",
        )
    missing = [tensor for tensor in optimized.observed if tensor not in statistics.tensors]
    if missing:
        raise BadInputError(
            "the statistics lack %d tensors, '%s' among them" % (len(missing), missing[0]),
            "that run excluded other ops or nodes than this one: exclude the same, or calibrate anew",
        )
    for name, patches in statistics.patches.items():
        window = optimized.windows.get(name)
        if window is not None and patches.shape[1:] != (window.values // window.channels, window.channels):
            raise BadInputError("the patches of '%s' do not fit its weights" % name, "calibrate anew")
    for group in optimized.candidates:
        means = statistics.tensors[group.source].channel_mean
        if means is not None and means.size != optimized.windows[group.linear].channels:
            raise BadInputError(
                "the statistics of '%s' do not fit '%s'" % (group.source, group.linear), "calibrate anew"
            )
    return statistics


class FeedDigest:
    """A SHA-256 of what is fed: names, types, shapes and values, whichever files they are from."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def of_each(self, feed: Iterable[Feed]) -> Iterator[Feed]:
        """The same batches; each is looked at as it passes."""
        for batch in feed:
            for name in sorted(batch):
                value = np.asarray(batch[name])
                self._digest.update(("%s %s %s\n" % (name, value.dtype, value.shape)).encode("utf-8", "replace"))
                # texts are objects, whose bytes are addresses
                plain = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
                self._digest.update(plain)
            yield batch

    def hexdigest(self) -> str:
        """Of all that has passed."""
        return self._digest.hexdigest()


def digest_feed(feed: Iterable[Feed]) -> str:
    """The SHA-256 that statistics name as their data, without running the graph."""
    digest = FeedDigest()
    for _batch in digest.of_each(feed):
        pass
    return digest.hexdigest()


def origin_of(data: Optional[str], options: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """What statistics came from: the digest of what was fed, None where nobody knows it, and options."""
    made_by = {"version": __version__, "tensorflow": tf.__version__}
    return {"data": data, "options": dict(options or {}), "made_by": made_by}


def _shorten(digest: str) -> str:
    return digest[:12] or "not known"

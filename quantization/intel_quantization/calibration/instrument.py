"""Collect statistics in process: run the FP32 graph over a feed, with a probe beside each tensor."""

from __future__ import annotations

import math
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.patches import Sampler, make_samplers
from intel_quantization.calibration.probes import Look, add_probes
from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.calibration.summary import summary
from intel_quantization.errors import BadInputError, OutOfMemoryError, QuantizationError
from intel_quantization.graph.feed_weights import feed_weights
from intel_quantization.graph.io import fingerprint
from intel_quantization.graph.session import first_line, open_session, trim_memory
from intel_quantization.kinds.window import Window

Feed = Iterable[Dict[str, np.ndarray]]


def calibrate(
    graph_def: graph_pb2.GraphDef,
    observed: Sequence[str],
    feed: Feed,
    on_batch: Optional[Callable[[int], None]] = None,
    channel_means: Sequence[str] = (),
    histograms: bool = False,
    threads: int = 0,
    windows: Optional[Mapping[str, Window]] = None,
) -> Statistics:
    """Run a graph over a feed and collect the statistics of some of its tensors.

    Args:
        graph_def: the FP32 graph; left as it is.
        observed: float32 tensors, also of loops and branches. One that never ran keeps the count 0.
        feed: batches, each a dict tensor name -> array.
        on_batch: called after each batch with the number of batches so far.
        channel_means: those of the observed tensors of which each channel is looked at, too.
        histograms: also collect histograms (of a regular sample of the values).
        threads: see :func:`open_session`.
        windows: what to draw patches of, by a name for each; their tensors are among the observed ones.

    Raises:
        BadInputError: the feed is empty, or the graph does not accept it.
        OutOfMemoryError: TensorFlow could not allocate a tensor.
        QuantizationError: an op failed.
    """
    result = Statistics(graph=fingerprint(graph_def))
    result.tensors = {name: TensorStatistics() for name in observed}
    summed = frozenset(channel_means)
    samplers = make_samplers(windows or {})
    sampling: Dict[str, List[Sampler]] = {}
    for sampler in samplers.values():
        sampling.setdefault(sampler.window.tensor, []).append(sampler)
    looks = {
        name: _look(found, name in summed, histograms, sampling.get(name, [])) for name, found in result.tensors.items()
    }
    light, weights = feed_weights(graph_def)
    keeper, probes = add_probes(light, looks)
    batches = 0
    with open_session(light, threads, as_it_is=True) as session:
        targets = [session.graph.get_operation_by_name(name) for name in probes]
        for batch in feed:
            _run(session, targets, weights, batch)
            for name, found in result.tensors.items():
                _check(name, found)
            batches += 1
            result.samples += _batch_size(batch)
            if on_batch:
                on_batch(batches)
    result.patches = {name: sampler.patches() for name, sampler in samplers.items() if sampler.seen}
    del keeper, session, targets, weights
    trim_memory()
    if not batches:
        raise BadInputError("there are no calibration data")
    return result


def _look(found: TensorStatistics, channels: bool, histogram: bool, samplers: Sequence[Sampler]) -> Look:
    def look(value: np.ndarray) -> None:
        found.merge(summary(value, channels, histogram))
        for sampler in samplers:
            sampler.look(value)

    return look


def _check(name: str, found: TensorStatistics) -> None:
    if found.count and not (math.isfinite(found.minimum) and math.isfinite(found.maximum)):
        raise BadInputError(
            "tensor '%s' has infinite or undefined values on the calibration data" % name,
            "check --preprocess, and that the FP32 graph gives finite results",
        )


def _run(
    session: tf.compat.v1.Session,
    targets: List[tf.Operation],
    weights: Dict[str, np.ndarray],
    batch: Dict[str, np.ndarray],
) -> None:
    try:
        session.run(targets, feed_dict={**weights, **batch})
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        told = "the graph does not accept the calibration data: %s"
        operations = session.graph.get_operations()
        unknown = set(batch) - {tensor.name for operation in operations for tensor in operation.outputs}
        if unknown:
            placeholders = {each.name + ":0" for each in operations if each.type.startswith("Placeholder")}
            raise BadInputError(
                told % "it has no %s" % ", ".join(sorted(unknown)),
                "its inputs are %s" % ", ".join(sorted(placeholders - set(weights))),
            ) from error
        raise BadInputError(
            told % first_line(error), "compare the shapes and types of the data with the graph's inputs"
        ) from error
    except tf.errors.ResourceExhaustedError as error:
        message = "calibration ran out of memory: %s" % first_line(error)
        raise OutOfMemoryError(message, "give a smaller --batch_size") from error
    except tf.errors.OpError as error:
        raise QuantizationError(
            "the FP32 graph does not run: %s" % first_line(error),
            "check that --inputs and --outputs name the right tensors",
        ) from error


def _batch_size(batch: Dict[str, np.ndarray]) -> int:
    return max(int(np.shape(value)[0]) if np.ndim(value) else 1 for value in batch.values())

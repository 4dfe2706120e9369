"""Collect statistics in process: run the FP32 graph over a feed with Min and Max beside each tensor."""

from __future__ import annotations

import hashlib
from typing import Callable, Dict, FrozenSet, Iterable, List, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.statistics import Statistics, TensorStatistics, histogram_of
from intel_quantization.errors import BadInputError, OutOfMemoryError, QuantizationError
from intel_quantization.graph import tensors
from intel_quantization.graph.session import first_line, open_session, trim_memory

Feed = Iterable[Dict[str, np.ndarray]]
# Histograms need the values themselves; a regular sample of them shows the same distribution.
_HISTOGRAM_VALUES = 1 << 16


def calibrate(
    graph_def: graph_pb2.GraphDef,
    observed: Sequence[str],
    feed: Feed,
    on_batch: Optional[Callable[[int], None]] = None,
    channel_means: Sequence[str] = (),
    histograms: bool = False,
    threads: int = 0,
) -> Statistics:
    """Run a graph over a feed and collect the statistics of some of its tensors.

    Args:
        graph_def: the FP32 graph; left as it is.
        observed: float32 tensors.
        feed: batches, each a dict tensor name -> array.
        on_batch: called after each batch with the number of batches so far.
        channel_means: those of the observed tensors whose channels are summed up, too.
        histograms: also collect histograms (of a regular sample of the values, which costs time).
        threads: see :func:`open_session`.

    Raises:
        BadInputError: the feed is empty, or the graph does not accept it.
        OutOfMemoryError: TensorFlow could not allocate a tensor.
        QuantizationError: an op failed.
    """
    result = Statistics(graph=hashlib.sha256(graph_def.SerializeToString(deterministic=True)).hexdigest())
    with open_session(graph_def, threads, as_it_is=True) as session:
        fetches = _collectors(session.graph, observed, frozenset(channel_means), histograms)
        batches = 0
        for batch in feed:
            values = _run(session, fetches, batch)
            batches += 1
            result.samples += _batch_size(batch)
            for name, found in zip(observed, values):
                result.tensors.setdefault(name, TensorStatistics()).merge(_statistics(name, found))
            if on_batch:
                on_batch(batches)
    trim_memory()
    if not batches:
        raise BadInputError("there are no calibration data")
    return result


def _run(
    session: tf.compat.v1.Session, fetches: List[Dict[str, tf.Tensor]], batch: Dict[str, np.ndarray]
) -> List[Dict[str, np.ndarray]]:
    try:
        return session.run(fetches, feed_dict=batch)
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        raise BadInputError(
            "the graph does not accept the calibration data: %s" % first_line(error),
            "compare the shapes and types of the data with the graph's inputs",
        ) from error
    except tf.errors.ResourceExhaustedError as error:
        message = "calibration ran out of memory: %s" % first_line(error)
        raise OutOfMemoryError(message, "give a smaller --batch_size") from error
    except tf.errors.OpError as error:
        raise QuantizationError(
            "the FP32 graph does not run: %s" % first_line(error),
            "check that --inputs and --outputs name the right tensors",
        ) from error


def _collectors(
    graph: tf.Graph, observed: Sequence[str], channel_means: FrozenSet[str], histograms: bool
) -> List[Dict[str, tf.Tensor]]:
    result = []
    with graph.as_default(), tf.compat.v1.name_scope("calibration"):
        for name in observed:
            node, index = tensors.split(name)
            tensor = graph.get_tensor_by_name("%s:%d" % (node, index))
            flat = tf.reshape(tensor, [-1])
            found = {"min": tf.reduce_min(flat), "max": tf.reduce_max(flat), "shape": tf.shape(tensor)}
            # TensorFlow 1.15's Min and Max pass over NaN
            found["finite"] = tf.reduce_all(tf.math.is_finite(flat))
            if name in channel_means:
                # float32 sums of millions of values lose digits; means of one batch do not
                found["mean"] = tf.reduce_mean(tensor, tf.range(tf.rank(tensor) - 1))
            if histograms:
                found["values"] = flat[:: tf.maximum(tf.size(flat) // _HISTOGRAM_VALUES, 1)]
            result.append(found)
    return result


def _statistics(name: str, found: Dict[str, np.ndarray]) -> TensorStatistics:
    shape = [int(size) for size in found["shape"]]
    count = int(np.prod(shape, dtype=np.int64))
    result = TensorStatistics(count, shape=(None, *shape[1:]) if shape else ())
    if not count:
        return result
    result.minimum, result.maximum = float(found["min"]), float(found["max"])
    if not found["finite"]:
        raise BadInputError(
            "tensor '%s' has infinite or undefined values on the calibration data" % name,
            "check --preprocess, and that the FP32 graph gives finite results",
        )
    if "mean" in found:
        result.channel_sum = found["mean"].astype(np.float64) * (count / float(found["mean"].size))
    if "values" in found:
        result.histogram = histogram_of(found["values"])
    return result


def _batch_size(batch: Dict[str, np.ndarray]) -> int:
    return max(int(np.shape(value)[0]) if np.ndim(value) else 1 for value in batch.values())

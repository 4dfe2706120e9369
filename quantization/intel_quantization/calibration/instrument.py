"""Collect statistics in process: run the FP32 graph over a feed with Min and Max beside each tensor."""

from __future__ import annotations

import hashlib
import math
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.statistics import Statistics, TensorStatistics, histogram_of
from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.graph.session import first_line, open_session

Feed = Iterable[Dict[str, np.ndarray]]
# Histograms need the values themselves; a regular sample of them shows the same distribution.
_HISTOGRAM_VALUES = 1 << 16


def calibrate(
    graph_def: graph_pb2.GraphDef,
    observed: Sequence[str],
    feed: Feed,
    on_batch: Optional[Callable[[int], None]] = None,
    histograms: bool = False,
    threads: int = 0,
) -> Statistics:
    """Run a graph over a feed and collect the statistics of some of its tensors.

    Args:
        graph_def: the FP32 graph; left as it is.
        observed: float32 tensors.
        feed: batches, each a dict tensor name -> array.
        on_batch: called after each batch with the number of batches so far.
        histograms: also collect histograms (of a regular sample of the values, which costs time).
        threads: see :func:`open_session`.

    Raises:
        BadInputError: the feed is empty, or the graph does not accept it.
    """
    result = Statistics(graph=hashlib.sha256(graph_def.SerializeToString(deterministic=True)).hexdigest())
    with open_session(graph_def, threads) as session:
        fetches = _collectors(session.graph, observed, histograms)
        batches = 0
        for batch in feed:
            try:
                values = session.run(fetches, feed_dict=batch)
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                raise BadInputError(
                    "the graph does not accept the calibration data: %s" % first_line(error),
                    "compare the shapes and types of the data with the graph's inputs",
                )
            batches += 1
            result.samples += _batch_size(batch)
            for name, found in zip(observed, values):
                result.tensors.setdefault(name, TensorStatistics()).merge(_statistics(name, found))
            if on_batch:
                on_batch(batches)
    if not batches:
        raise BadInputError("there are no calibration data")
    return result


def _collectors(graph: "tf.Graph", observed: Sequence[str], histograms: bool) -> List[Tuple["tf.Tensor", ...]]:
    result = []
    with graph.as_default(), tf.compat.v1.name_scope("calibration"):
        for name in observed:
            node, index = tensors.split(name)
            tensor = graph.get_tensor_by_name("%s:%d" % (node, index))
            flat = tf.reshape(tensor, [-1])
            found = (tf.reduce_min(flat), tf.reduce_max(flat), tf.shape(tensor, out_type=tf.int64))
            if histograms:
                step = tf.maximum(tf.size(flat) // _HISTOGRAM_VALUES, 1)
                found += (flat[::step],)
            result.append(found)
    return result


def _statistics(name: str, found: Tuple[np.ndarray, ...]) -> TensorStatistics:
    low, high, shape = float(found[0]), float(found[1]), [int(size) for size in found[2]]
    count = int(np.prod(shape, dtype=np.int64))
    if count and not (math.isfinite(low) and math.isfinite(high)):
        raise BadInputError(
            "tensor '%s' has infinite or undefined values on the calibration data" % name,
            "check --preprocess, and that the FP32 graph gives finite results",
        )
    histogram = histogram_of(found[3]) if len(found) > 3 else None
    return TensorStatistics(count, low, high, tuple([None] + shape[1:]) if shape else (), histogram)


def _batch_size(batch: Dict[str, np.ndarray]) -> int:
    return max(int(np.shape(value)[0]) if np.ndim(value) else 1 for value in batch.values())

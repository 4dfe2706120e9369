"""Running a graph again and again, with failures that are errors of this package."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from intel_quantization.data.given import FeedDict
from intel_quantization.errors import BadInputError, OutOfMemoryError, QuantizationError
from intel_quantization.graph.session import first_line, open_session
from intel_quantization.measure.op_times import NodeTime

# What TensorFlow says where it folds an op to a constant that it then cannot allocate.
_TOO_LARGE = "Cannot parse tensor from proto"


class Answering(ABC):
    """What gives the outputs of a graph for a feed: a session, or what a session gave earlier."""

    @abstractmethod
    def run(self, feed: FeedDict) -> list[np.ndarray]:
        """The outputs, as arrays, always in the same order."""


class Runner(Answering):
    """A session on a graph that is asked for the same outputs each time; a context manager.

    Args:
        graph_def: the graph.
        outputs: names of tensors, such as ``softmax:0``.
        threads: threads within one op; None leaves it to TensorFlow.
        label: what to call the graph in errors, e.g. "the FP32 graph".

    Raises:
        BadInputError: this TensorFlow cannot import the graph.
    """

    def __init__(
        self, graph_def: GraphDef, outputs: Sequence[str], threads: int | None = None, label: str = "the graph"
    ) -> None:
        self._label = label
        self._session = open_session(graph_def, threads or 0)
        self._fetches = [self._session.graph.get_tensor_by_name(name) for name in outputs]

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def run(self, feed: FeedDict) -> list[np.ndarray]:
        """The outputs, as arrays in the order of ``outputs``.

        Raises:
            BadInputError: the feed does not fit the graph.
            OutOfMemoryError: TensorFlow could not allocate a tensor.
            QuantizationError: an op failed.
        """
        try:
            return self._session.run(self._fetches, feed)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise as_error(error, self._label) from None

    def trace(self, feed: FeedDict) -> dict[str, NodeTime]:
        """The time of each op of one run, by the name of its node; of what ops are fused into, by the last one's.

        Raises:
            QuantizationError: as for :meth:`run`.
        """
        tf1 = tf.compat.v1
        options = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE)
        metadata = tf1.RunMetadata()
        try:
            self._session.run(self._fetches, feed, options=options, run_metadata=metadata)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise as_error(error, self._label) from None
        times: dict[str, NodeTime] = {}
        for device in metadata.step_stats.dev_stats:
            for node in device.node_stats:
                name = node.node_name.partition(":")[0]
                op = node.timeline_label.partition(" = ")[2].partition("(")[0]  # "name = Op(inputs)"
                taken = (node.op_end_rel_micros - node.op_start_rel_micros) / 1000.0
                times[name] = NodeTime(taken + (times[name].ms if name in times else 0.0), op)
        return times


def as_error(error: Exception, label: str) -> QuantizationError:
    """What TensorFlow raised when it ran a graph, as an error of this package.

    Args:
        error: a ValueError, TypeError or tf.errors.OpError.
        label: what to call the graph.
    """
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return OutOfMemoryError(f"{label} ran out of memory: {first_line(error)}", "give a smaller --batch_size")
    if first_line(error).startswith(_TOO_LARGE):
        node = re.search(r"\{\{node (\S+?)\}\}", str(error))
        what = f"the value of node '{node.group(1)}'" if node else "a constant"
        return OutOfMemoryError(f"{label} ran out of memory: {what} does not fit", "name --outputs that do without it")
    if isinstance(error, (ValueError, TypeError)):  # the feed does not fit: TensorFlow has not even begun
        return BadInputError(
            f"{label} does not take the images: {first_line(error)}", "name the image input with --inputs"
        )
    return QuantizationError(
        f"{label} does not run: {first_line(error)}", "check that --inputs and --outputs name the right tensors"
    )

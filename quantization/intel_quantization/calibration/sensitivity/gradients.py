"""Measure by gradients how much noise in each channel of a tensor comes through to the ends of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import ops

from intel_quantization.calibration.sensitivity.smooth_ends import SmoothPart, find_smooth_part
from intel_quantization.graph.feed_weights import feed_weights
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.session import first_line, open_session, trim_memory

Feed = Dict[str, np.ndarray]

SAMPLES = 4
"""So many samples are enough: what counts is sums over positions, channels and samples."""
# Python builds the gradient of each op; of a larger graph that would take longer than all the rest.
_MOST_NODES = 5000
# Where sigmoid is flatter than that nobody tells its values apart: beyond -6 and 6.
_FLAT = 6.0
_TINY = 1e-30
_DIGITS = 3


# What TensorFlow's gradient functions raise where they do not know what they get.
_OF_GRADIENTS = (
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)


@dataclass(frozen=True)
class Sensitivities:
    """What was measured.

    Attributes:
        by_tensor: float64 [channels], by the name of the tensor.
        missing: why there are none; empty where there are.
    """

    by_tensor: Dict[str, np.ndarray]
    missing: str = ""


def measure_sensitivities(
    graph_def: graph_pb2.GraphDef,
    outputs: Sequence[str],
    observed: Sequence[str],
    samples: Sequence[Feed],
    threads: int = 0,
) -> Sensitivities:
    """How much noise in each channel of some tensors comes through.

    Multiplied with the mean square of a channel's noise, and summed over the channels, that is the share of noise in
    the variance of what the graph ends in (the mean over its ends): to first order, and if the noise of each value is
    independent. It is estimated by gradients along random signs (Hutchinson 1990): one backward run for each sample.

    Args:
        graph_def: the FP32 graph; left as it is.
        outputs: names of its outputs.
        observed: the float32 tensors; those from which no differentiable path leads to an end are left out.
        samples: feeds of one sample each.
        threads: see :func:`open_session`.

    Raises:
        BadInputError: TensorFlow cannot import the graph.
    """
    if not tf.__version__.startswith("2."):
        return Sensitivities({}, "TensorFlow 1 is not relied on for gradients")
    light, weights = feed_weights(graph_def)
    graph = Graph(light, outputs)
    if len(graph) > _MOST_NODES:
        return Sensitivities({}, f"the graph has more than {_MOST_NODES} nodes")
    with open_session(light, threads, as_it_is=True) as session:
        part = find_smooth_part(graph, observed, has_gradient_in(session.graph))
        if not part.ends:
            return Sensitivities({}, "nothing leads to the outputs by differentiable operations alone")
        try:
            with session.graph.as_default():
                built = _Gradients(session.graph, part)
            masked = [_is_squashed(graph, name) for name in part.ends]
            feeds = [{**weights, **_fit_sample(session.graph, sample)} for sample in samples]
            values = [session.run(built.ends, feed) for feed in feeds]
            found = _run_backward(session, built, feeds, _draw_directions(values, masked))
        except _OF_GRADIENTS as error:  # the graph itself has run
            return Sensitivities({}, "TensorFlow cannot differentiate the graph: " + first_line(error))
    del session, weights
    trim_memory()
    sound = {name: _round(value) for name, value in found.items() if np.isfinite(value).all() and value.any()}
    return Sensitivities(sound, "" if sound else "noise anywhere changes nothing at the outputs")


def has_gradient_in(graph: tf.Graph, prefix: str = "") -> Callable[[NodeDef], bool]:
    """What tells whether TensorFlow can differentiate what a node makes, which then is float32.

    Args:
        graph: with the nodes' operations.
        prefix: of their names there.
    """

    def has_gradient(node: NodeDef) -> bool:
        operation = graph.get_operation_by_name(prefix + node.name)
        if not operation.outputs or operation.outputs[0].dtype != tf.float32:  # ArgMax has a gradient, which is None
            return False
        if any(each.dtype in (tf.resource, tf.variant) for each in operation.inputs):  # TensorArrays of TensorFlow 1
            return False
        try:
            return ops.get_gradient_function(operation) is not None
        except LookupError:
            return False

    return has_gradient


class _Gradients:
    """The ops that give, for each tensor and channel, the sum of the squared gradients.

    Attributes:
        ends: the tensors whose gradients are taken.
        directions: the placeholders of what these are multiplied with.
        names: of the tensors of interest that have a gradient.
        squares: of each of them: [channels].
    """

    def __init__(self, graph: tf.Graph, part: SmoothPart) -> None:
        self.ends = [each for name in part.ends for each in graph.get_operation_by_name(name).outputs[:1]]
        self.directions = [tf.compat.v1.placeholder(tf.float32, end.shape) for end in self.ends]
        wanted = [graph.get_tensor_by_name(name if ":" in name else name + ":0") for name in part.sources]
        gradients = tf.gradients(self.ends, wanted, grad_ys=self.directions)
        both = [(name, each) for name, each in zip(part.sources, gradients) if each is not None]
        self.names = [name for name, _each in both]
        self.squares = [_sum_squares(tf.convert_to_tensor(each)) for _name, each in both]


def _sum_squares(gradient: Any) -> Any:
    if gradient.shape.rank:
        return tf.reduce_sum(tf.square(gradient), axis=list(range(gradient.shape.rank - 1)))
    flat = tf.reshape(gradient, tf.stack([-1, tf.shape(gradient)[-1]]))
    return tf.reduce_sum(tf.square(flat), axis=0)


def _run_backward(
    session: tf.compat.v1.Session, built: _Gradients, feeds: Sequence[Feed], directions: Sequence[List[np.ndarray]]
) -> Dict[str, np.ndarray]:
    """The mean of the squares over the samples."""
    sums: Dict[str, np.ndarray] = {}
    for feed, along in zip(feeds, directions):
        squares = session.run(built.squares, {**feed, **dict(zip(built.directions, along))})
        for name, square in zip(built.names, squares):
            mine = np.asarray(square, np.float64) / len(feeds)
            sums[name] = mine if name not in sums else _join(sums[name], mine)
    return sums


def _join(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one + other if one.shape == other.shape else np.full(1, np.nan)  # the channels vary


def _draw_directions(values: Sequence[List[np.ndarray]], masked: Sequence[bool]) -> List[List[np.ndarray]]:
    """Of each sample and end: random signs, so scaled that the ends' variances count alike.

    Args:
        values: of each sample and end.
        masked: of each end, whether values where sigmoid is flat do not count.
    """
    random = np.random.RandomState(0)
    columns = [
        _directions_of([sample[end] for sample in values], masked[end], random, len(masked))
        for end in range(len(masked))
    ]
    return [[column[sample] for column in columns] for sample in range(len(values))]


def _directions_of(
    values: Sequence[np.ndarray], masked: bool, random: np.random.RandomState, ends: int
) -> List[np.ndarray]:
    counts = [np.abs(value) < _FLAT if masked else np.ones(value.shape, bool) for value in values]
    if not any(each.any() for each in counts):
        counts = [np.ones(value.shape, bool) for value in values]
    power = _estimate_variance(values, counts)
    scale = 1.0 / np.sqrt(max(power, _TINY) * ends) if power > _TINY else 0.0
    return [
        (random.choice([-scale, scale], size=value.shape) * count).astype(np.float32)
        for value, count in zip(values, counts)
    ]


def _estimate_variance(values: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> float:
    """The variance of each channel over positions and samples, summed over the values of one sample that count."""
    width = values[0].shape[-1] if values[0].ndim > 1 else 1
    flat = [np.asarray(value, np.float64).reshape(-1, width) for value in values]
    chosen = [count.reshape(-1, width) for count in counts]
    number = np.maximum(sum(count.sum(axis=0) for count in chosen), 1)
    mean = sum((value * count).sum(axis=0) for value, count in zip(flat, chosen)) / number
    squares = sum((np.square(value - mean) * count).sum() for value, count in zip(flat, chosen))
    return float(squares) / len(values)


def _is_squashed(graph: Graph, name: str) -> bool:
    """Whether what a node makes goes into a sigmoid, with nothing but other shapes in between."""
    readers = graph.consumers(name)
    while len(readers) == 1 and readers[0].op in ("Reshape", "Identity", "Squeeze", "Transpose", "ConcatV2"):
        readers = graph.consumers(readers[0].name)
    return bool(readers) and all(reader.op == "Sigmoid" for reader in readers)


def _fit_sample(graph: tf.Graph, sample: Feed) -> Feed:
    """A sample as the graph's inputs take it: as often as a fixed batch asks for."""
    result = {}
    for name, value in sample.items():
        shape = graph.get_tensor_by_name(name if ":" in name else name + ":0").shape
        size: Optional[int] = shape.as_list()[0] if shape.rank else None
        result[name] = value if size is None or size == len(value) else np.repeat(value, size, axis=0)
    return result


def _round(values: np.ndarray) -> np.ndarray:
    """With few digits: the last ones depend on the number of threads."""
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs(values), _TINY))))
    return np.rint(values * scale) / scale

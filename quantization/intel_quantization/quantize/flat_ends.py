"""Where what reads a tensor no longer tells its values apart: the flat ends of hard-swish, sigmoid, clips and the like.

An INT8 tensor has 256 values, and those spent on where the reader is flat are lost: a convolution ahead of a hard-swish
may give -20, but everything below -3 becomes 0. So its range may end at -3, and has finer steps for it. What the
readers do is computed from the graph: from the tensor on, through ops that look at each value by itself, to what does
not; an end is flat where the results change by less than a share of their range that INT8 could not represent anyway.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.calibration.statistics import Statistics, TensorStatistics, bin_edges
from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.group import Group

# By less than that share of their range results may change within a flat end: a sixteenth of an INT8 step, and half of
# what they change from point to point where nothing is flat.
_FLAT = 1.0 / 4096.0
_POINTS = 2049
# Longer chains are not followed.
_MOST_NODES = 32
# A narrower range than that share of what was seen is none of ours.
_LEAST_SHARE = 1.0 / 64.0


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


_UNARY: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Relu": lambda x: np.maximum(x, 0.0),
    "Relu6": lambda x: np.clip(x, 0.0, 6.0),
    "Elu": lambda x: np.where(x < 0.0, np.expm1(np.minimum(x, 0.0)), x),
    "Sigmoid": _sigmoid,
    "Tanh": np.tanh,
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "Softsign": lambda x: x / (1.0 + np.abs(x)),
    "Neg": np.negative,
    "Abs": np.abs,
    "Square": np.square,
    "Exp": np.exp,
    "Identity": lambda x: x,
}
_BINARY: Dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add,
    "AddV2": np.add,
    "BiasAdd": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Minimum": np.minimum,
    "Maximum": np.maximum,
}


def narrow_ranges(graph: Graph, candidates: Sequence[Group], statistics: Statistics) -> Statistics:
    """Statistics of the values that the readers tell apart, for results that FP32 alone reads, value by value.

    Args:
        graph: the FP32 graph.
        candidates: the groups, of whose results it is.
        statistics: of what was seen; not changed.
    """
    found = dict(statistics.tensors)
    for group in candidates:
        if group.activation or group.root not in found or not found[group.root].count:
            continue
        ends = find_ends(graph, group.root, found[group.root])
        if ends is not None:
            found[group.root] = _within(found[group.root], *ends)
    return replace(statistics, tensors=found)


def find_ends(graph: Graph, tensor: str, seen: TensorStatistics) -> Optional[Tuple[float, float]]:
    """Between which values the readers of a tensor are not flat; None where they are nowhere, or cannot be followed."""
    low, high = seen.minimum, seen.maximum
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        return None
    results = _follow(graph, tensor, np.linspace(low, high, _POINTS))
    if not results:
        return None
    first, last = _POINTS - 1, 0
    for values, reaches_output in results:
        if not np.all(np.isfinite(values)):
            return None
        tolerance = float((values.max(axis=0) - values.min(axis=0)).max()) * _FLAT
        # scores must not tie at the end where they are large
        falls, rises = (reaches_output and bool(np.any(sign * (values[-1] - values[0]) >= 0)) for sign in (-1, 1))
        first = min(first, 0 if falls else _flat_points(values, tolerance))
        last = max(last, _POINTS - 1 - (0 if rises else _flat_points(values[::-1], tolerance)))
    points = np.linspace(low, high, _POINTS)
    if last <= first or points[last] - points[first] < (high - low) * _LEAST_SHARE:
        return None
    return (float(points[first]), float(points[last])) if first > 0 or last < _POINTS - 1 else None


def _flat_points(values: np.ndarray, tolerance: float) -> int:
    """The last index up to which all values, of any channel, are like the first one."""
    moved = np.flatnonzero((np.abs(values - values[:1]) > tolerance).any(axis=1))
    return int(moved[0]) - 1 if moved.size else len(values) - 1


def _follow(graph: Graph, tensor: str, points: np.ndarray) -> List[Tuple[np.ndarray, bool]]:
    """What the chain that begins with a tensor hands on: values [points, 1 or channels], and whether it is an output.

    Empty where the chain is long, or nothing reads the tensor.
    """
    known: Dict[str, np.ndarray] = {tensor: points[:, None]}
    waiting = [reader for reader, _index in graph.readers(tensor)]
    while waiting:
        reader = waiting.pop(0)
        # one that reads two results of the chain comes again when the other is there
        values = None if reader.name in known else _compute(graph, reader, known)
        if values is None:
            continue
        if len(known) > _MOST_NODES:
            return []
        known[reader.name] = values
        waiting.extend(behind for behind, _index in graph.readers(reader.name))
    return [(values, _reaches_output(graph, name)) for name, values in known.items() if _ends(graph, name, known)]


def _ends(graph: Graph, name: str, known: Dict[str, np.ndarray]) -> bool:
    """Whether a result of the chain is an output, or anything reads it that does not belong to the chain."""
    return graph.is_output(tensors.node_of(name)) or any(
        reader.name not in known for reader, _index in graph.readers(name)
    )


def _reaches_output(graph: Graph, name: str) -> bool:
    """Whether a chain ends in an output, or in what only looks for the largest."""
    return graph.is_output(tensors.node_of(name)) or any(
        reader.op in ("ArgMax", "TopKV2", "Softmax") or "NonMaxSuppression" in reader.op
        for reader, _index in graph.readers(name)
    )


def _compute(graph: Graph, node: NodeDef, known: Dict[str, np.ndarray]) -> Optional[np.ndarray]:
    """The values of a node, [points, 1 or channels]; None where it does more than look at each value by itself."""
    if node.op == "BiasAdd" and attribute(node, "data_format").s == b"NCHW":
        return None
    operands = []
    for name in graph.data_inputs(node):
        if name in known:
            operands.append(known[name])
            continue
        value = graph.constant(name)
        if value is None or value.dtype.kind != "f" or value.size != (value.shape[-1] if value.ndim else 1):
            return None
        operands.append(value.astype(np.float64).reshape(1, -1))
    with np.errstate(all="ignore"):
        if node.op in _UNARY and len(operands) == 1:
            return _UNARY[node.op](operands[0])
        if node.op in _BINARY and len(operands) == 2:
            widths = {operand.shape[1] for operand in operands} - {1}
            return _BINARY[node.op](*operands) if len(widths) <= 1 else None
    return None


def _within(seen: TensorStatistics, low: float, high: float) -> TensorStatistics:
    """The statistics of the values between two ends, those beyond standing at the ends."""
    histogram = seen.histogram
    if histogram is not None:
        histogram = histogram.copy()
        for index in np.flatnonzero(histogram):
            if not any(low <= edge <= high for edge in bin_edges(index)):
                histogram[index] = 0
    batches = max(seen.batches, 1)
    return replace(
        seen,
        minimum=max(seen.minimum, low),
        maximum=min(seen.maximum, high),
        minimum_sum=max(seen.minimum_sum, low * batches) if seen.batches else 0.0,
        maximum_sum=min(seen.maximum_sum, high * batches) if seen.batches else 0.0,
        histogram=histogram,
        channel_minimum=None if seen.channel_minimum is None else np.clip(seen.channel_minimum, low, high),
        channel_maximum=None if seen.channel_maximum is None else np.clip(seen.channel_maximum, low, high),
    )

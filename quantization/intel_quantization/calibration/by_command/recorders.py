"""Recorders: graph ops that write what they see of a tensor into files, whichever process runs the graph.

The program that runs the graph is not ours. It may strip, fold and optimize it, import it under a prefix, open
several sessions, and print what it likes. So a recorder does not print. It computes the statistics of its tensor
with ordinary ops, writes them into a new file of its own with WriteFile, and lies on the data path as a Print that
prints nothing (``first_n`` 0): its output 0 is its input 0, and it waits for the WriteFile. What the outputs need
is never stripped; and since Print and WriteFile are stateful, no optimizer folds, merges or removes them, as it
does with Identity.

A record is a serialized float32 tensor of one dimension: rank, dimensions; then, unless the recorder only counts,
whether all values are finite, the minimum, the maximum; then, as asked for, the sum, the minimum and the maximum
of each channel (the last axis), and the histogram of
:func:`~intel_quantization.calibration.statistics.histogram_of`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from intel_quantization.calibration.statistics import BINS, SHIFT
from intel_quantization.calibration.summary import IMAGE_VALUES, IMAGES, STEPS
from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import attr_value, dtype_attr
from intel_quantization.graph.graph import Graph
from intel_quantization.ops import registry

_FLOAT, _DOUBLE = types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE
_INT32, _INT64, _BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_BOOL
# These keep their names: a placeholder is fed by it; what makes a loop is left as it is.
_STAY = ("Placeholder", "PlaceholderWithDefault", "Enter", "RefEnter", "NextIteration", "RefNextIteration")
# What closes a loop has to be read by its Merge directly.
_BACK_EDGES = ("NextIteration", "RefNextIteration")


@dataclass(frozen=True)
class Recorder:
    """What one recorder records.

    Attributes:
        tensor: whose values.
        values: minimum and maximum; otherwise only the shape.
        channels: also the sum and the range of each channel.
        histogram: also a histogram.
    """

    tensor: str
    values: bool = True
    channels: bool = False
    histogram: bool = False


def add_recorders(graph: Graph, recorders: Sequence[Recorder], directory: str) -> None:
    """Put recorders into a graph, in place; its nodes keep their names, and give the same values.

    Args:
        graph: made without outputs, since a recorder takes the name of the node whose result it hands on.
        recorders: number N writes the files ``directory/N-…``; those with values are of float32 tensors.
        directory: where the records go.
    """
    for number, recorder in enumerate(recorders):
        source, passing = _insert_pass_through(graph, tensors.canonical(recorder.tensor))
        writer = _Writer(graph, source, passing + "/recorder")
        record = writer.record(recorder)
        done = writer.write(record, os.path.join(directory, "%d-" % number))
        node = graph.nodes[passing]
        graph.set_inputs(node, [source, "^" + done])


def _insert_pass_through(graph: Graph, tensor: str) -> Tuple[str, str]:
    """Put a silent Print behind a tensor; returns the tensor's name from now on, and that of the Print."""
    node = graph.producer(tensor)
    single = registry.op_def(node.op) is not None and registry.output_dtype(node, 1) == 0
    dtype = registry.output_dtype(node, tensors.split(tensor)[1])
    if single and node.op not in _STAY:
        # under the old name, so that a program that asks for the node gets the recorder with it
        passing = node.name
        source = graph.unique_name(passing + "/recorded")
        graph.rename(passing, source)
    else:
        source = tensor
        passing = graph.unique_name(tensor.replace(":", "_") + "/recorded")
    readers = graph.readers(source)
    graph.add("Print", passing, [source], _fill_attributes("Print", {"T": dtype, "U": [], "first_n": 0}))
    for reader, index in readers:
        if node.op not in _BACK_EDGES:
            graph.set_input(reader, index, passing)
    return source, passing


class _Writer:
    """Adds the nodes of one recorder."""

    def __init__(self, graph: Graph, source: str, prefix: str) -> None:
        self._graph = graph
        self._source = source
        self._prefix = prefix
        self._dtype = registry.output_dtype(graph.producer(source), tensors.split(source)[1])
        self._constants: Dict[Tuple[str, Any], str] = {}

    def record(self, recorder: Recorder) -> str:
        """The record: float32 [values]."""
        shape = self._add("Shape", [self._source], T=self._dtype, out_type=_INT32)
        rank = self._add("Size", [shape], T=_INT32, out_type=_INT32)
        parts = [self._add_vector(self._add_cast(rank, _INT32, _FLOAT)), self._add_cast(shape, _INT32, _FLOAT)]
        if recorder.values:
            flat = self._reshape(self._source, self._add_constant([-1], np.int32))
            parts += [self._add_vector(value) for value in self._add_extremes(flat)]
            if recorder.channels:
                parts += self._add_channels(shape)
            if recorder.histogram:
                parts.append(self._add_histogram(flat, shape))
        return self._add_concat(parts, _FLOAT)

    def write(self, record: str, prefix: str) -> str:
        """Write a record into a file of a new name; returns the node that does it.

        The name has a number that differs from run to run of a session, and a hash of the record. Two sessions
        or processes could only write the same file at the same time if the record is the same, too; such a twin
        changes no range. TensorFlow refuses random numbers without a seed, and the time, when it is told to be
        deterministic.
        """
        data = self._add("SerializeTensor", [record], T=_FLOAT)
        low, high = self._add_constant(0, np.int64), self._add_constant(1 << 62, np.int64)
        shape = self._add_constant([], np.int32)
        number = self._add("RandomUniformInt", [shape, low, high], T=_INT32, Tout=_INT64, seed=1, seed2=1)
        digest = self._add("StringToHashBucketFast", [data], num_buckets=(1 << 63) - 1)
        parts = [self._add_constant(prefix.encode(), object), self._add("AsString", [number], T=_INT64)]
        parts += [self._add_constant(b"-", object), self._add("AsString", [digest], T=_INT64)]
        name = self._add("StringJoin", parts, N=len(parts), separator="")
        return self._add("WriteFile", [name, data])

    def _add_extremes(self, flat: str) -> List[str]:
        """Whether all values are finite (1 or 0), minimum, maximum: float32 scalars."""
        axis = self._add_constant(0, np.int32)
        finite = self._add("IsFinite", [flat], T=_FLOAT)
        everywhere = self._add("All", [finite, axis], Tidx=_INT32, keep_dims=False)
        return [self._add_cast(everywhere, _BOOL, _FLOAT), *(self._reduce(op, flat, axis) for op in ("Min", "Max"))]

    def _add_channels(self, shape: str) -> List[str]:
        """The sum, the minimum and the maximum over all axes but the last: float32 [channels] each.

        The sum is taken first along one axis in float32, which keeps those sums short, then in float64.
        """
        ones, zero, one = (
            self._add_constant([1, 1], np.int32),
            self._add_constant([0], np.int32),
            self._add_constant([1], np.int32),
        )
        padded = self._add_concat([ones, shape], _INT32)
        minus_two, end = self._add_constant([-2], np.int32), self._add_constant([np.iinfo(np.int32).max], np.int32)
        outer = self._slice(padded, zero, minus_two, one, _INT32)
        inner = self._slice(padded, minus_two, end, one, _INT32)
        # not -1, which Reshape cannot fill in for an empty tensor
        rows = self._add_vector(self._reduce("Prod", outer, self._add_constant(0, np.int32), _INT32))
        cube = self._reshape(self._source, self._add_concat([rows, inner], _INT32))
        sums = self._add_cast(self._reduce("Sum", cube, self._add_constant(1, np.int32)), _FLOAT, _DOUBLE)
        total = self._add_cast(self._reduce("Sum", sums, self._add_constant(0, np.int32), _DOUBLE), _DOUBLE, _FLOAT)
        both = self._add_constant([0, 1], np.int32)
        return [total, *(self._reduce(op, cube, both) for op in ("Min", "Max"))]

    def _add_histogram(self, flat: str, shape: str) -> str:
        """Of a regular sample, the same that ``summary.summary`` takes: float32 [BINS]."""
        one = self._add_constant([1], np.int32)
        size = self._add_vector(self._add("Size", [flat], T=_FLOAT, out_type=_INT32))
        images = self._slice(
            self._add_concat([shape, one], _INT32), self._add_constant([0], np.int32), one, one, _INT32
        )
        some = self._add("Minimum", [images, self._add_constant(IMAGES, np.int32)], T=_INT32)
        least = self._add("Maximum", [some, one], T=_INT32)
        values = self._add("Mul", [least, self._add_constant(IMAGE_VALUES, np.int32)], T=_INT32)
        wanted = self._add("FloorDiv", [size, values], T=_INT32)
        steps = self._add_constant(STEPS, np.int32)
        small = self._add("LessEqual", [steps, wanted], T=_INT32)
        rest = self._add("FloorMod", [size, steps], T=_INT32)
        coprime = self._add("NotEqual", [rest, self._add_constant(0, np.int32)], T=_INT32)
        fitting = self._add_cast(self._add("LogicalAnd", [small, coprime]), _BOOL, _INT32)
        fitting = self._add("Mul", [fitting, steps], T=_INT32)
        largest = self._reduce("Max", fitting, self._add_constant(0, np.int32), _INT32)
        step = self._add("Maximum", [self._add_vector(largest), one], T=_INT32)
        sample = self._slice(flat, self._add_constant([0], np.int32), size, step, _FLOAT)
        bits = self._add("Bitcast", [sample], T=_FLOAT, type=_INT32)
        shifted = self._add("RightShift", [bits, self._add_constant(SHIFT, np.int32)], T=_INT32)
        # the sign came down with the shift
        index = self._add("BitwiseAnd", [shifted, self._add_constant(BINS - 1, np.int32)], T=_INT32)
        no_weights = self._add_constant(np.zeros(0), np.int32)
        counts = self._add("Bincount", [index, self._add_constant(BINS, np.int32), no_weights], T=_INT32)
        return self._add_cast(counts, _INT32, _FLOAT)

    def _add_cast(self, tensor: str, old: int, new: int) -> str:
        return self._add("Cast", [tensor], SrcT=old, DstT=new)

    def _reduce(self, op: str, tensor: str, axis: str, dtype: int = _FLOAT) -> str:
        return self._add(op, [tensor, axis], T=dtype, Tidx=_INT32, keep_dims=False)

    def _reshape(self, tensor: str, shape: str) -> str:
        return self._add("Reshape", [tensor, shape], T=_FLOAT, Tshape=_INT32)

    def _add_vector(self, scalar: str) -> str:
        dtype = registry.output_dtype(self._graph.nodes[scalar])
        return self._add("ExpandDims", [scalar, self._add_constant(0, np.int32)], T=dtype, Tdim=_INT32)

    def _add_concat(self, parts: Sequence[str], dtype: int) -> str:
        axis = self._add_constant(0, np.int32)
        return self._add("ConcatV2", [*parts, axis], N=len(parts), T=dtype, Tidx=_INT32)

    def _slice(self, tensor: str, begin: str, end: str, step: str, dtype: int) -> str:
        return self._add("StridedSlice", [tensor, begin, end, step], T=dtype, Index=_INT32)

    def _add_constant(self, value: Any, dtype: Any) -> str:
        key = (repr(value), dtype)
        if key not in self._constants:
            name = self._prefix + "/constant"
            self._constants[key] = self._graph.add_constant(name, np.asarray(value, dtype), beside=self._source)
        return self._constants[key]

    def _add(self, op: str, inputs: Sequence[str], **attrs: Any) -> str:
        """Add a node; returns its name."""
        name = self._graph.unique_name("%s/%s" % (self._prefix, op))
        self._graph.add(op, name, list(inputs), _fill_attributes(op, attrs))
        return name


def _fill_attributes(op: str, given: Dict[str, Any]) -> Dict[str, AttrValue]:
    """All attributes of an op: TransformGraph does not know the defaults, where it looks at a GraphDef only."""
    definition = registry.op_def(op)
    assert definition is not None  # in TensorFlow since 1.5, all of them
    result = {}
    for attr in definition.attr:
        if attr.name not in given:
            result[attr.name] = attr.default_value
        elif attr.type == "type":
            result[attr.name] = dtype_attr(given[attr.name])
        else:
            result[attr.name] = attr_value(given[attr.name])
    return result

"""What tells two graphs apart: their ops, and how far tensors of the same name differ."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Tuple

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2

from intel_quantization.graph.frames import Frame, frame_of
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.reach import find_fed
from intel_quantization.looking.pair import Looked
from intel_quantization.measure.runner import Runner
from intel_quantization.verify.ranges import range_faults

SAMPLES = 8
_MOST_TENSORS = 400
_TINY = 1e-30
_WRONG = "QuantizedMatMulWithBiasAndDequantize"
_CALLS = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")
_IDLE = ("Const", "Placeholder", "PlaceholderWithDefault", "Identity", "NoOp")


@dataclass(frozen=True)
class TensorError:
    """How far a tensor of both graphs differs: signal to noise in dB, 200 at most, over all samples."""

    name: str
    op: str
    decibels: float


def op_differences(first: graph_pb2.GraphDef, second: graph_pb2.GraphDef) -> List[Tuple[str, int, int]]:
    """(op, how many in the one, in the other), of those that are not as many."""
    counts = [Counter(node.op for node in graph.node) for graph in (first, second)]
    ops = sorted(set(counts[0]) | set(counts[1]))
    return [(op, counts[0][op], counts[1][op]) for op in ops if counts[0][op] != counts[1][op]]


def common_tensors(first: graph_pb2.GraphDef, second: graph_pb2.GraphDef) -> List[Tuple[str, str, str]]:
    """(tensor, in the second graph, op in the first) of nodes that both have, that are computed, and are in no loop.

    What stood in functions of a SavedModel has the names of the calls before its own; they do not count.
    """
    graph = Graph(first)
    others = {node.name: node for node in second.node}
    plain = {_CALLS.sub("", name): name for name in others}
    fed = find_fed(graph)
    known: Dict[str, Frame] = {}
    found = []
    for node in graph.topological():
        other = plain.get(_CALLS.sub("", node.name))
        if other is None or node.name not in fed or node.op in _IDLE:
            continue
        if frame_of(graph.nodes, node.name, known) or frame_of(others, other, {}):
            continue
        found.append((node.name + ":0", other + ":0", node.op))
    return found[:_MOST_TENSORS]


def tensor_errors(first: Looked, second: Looked, feeds: Iterable[Dict[str, Any]], threads: Any) -> List[TensorError]:
    """Of the common tensors, in the order of the data; those that are no floats, or of other shapes, are left out."""
    common = common_tensors(first.graph, second.graph)
    if not common:
        return []
    names, theirs = [name for name, _other, _op in common], [other for _name, other, _op in common]
    sums = np.zeros((len(names), 2))
    usable = np.ones(len(names), bool)
    with Runner(first.graph, names, threads, first.label) as one, Runner(
        second.graph, theirs, threads, second.label
    ) as other:
        for feed in feeds:
            values = (map(np.asarray, one.run(first.own(feed))), map(np.asarray, other.run(second.own(feed))))
            for number, (wanted, given) in enumerate(zip(*values)):
                if wanted.dtype.kind != "f" or given.dtype.kind != "f" or wanted.shape != given.shape:
                    usable[number] = False
                    continue
                error = given.astype(np.float64) - wanted
                sums[number] += np.square(wanted, dtype=np.float64).sum(), np.square(error).sum()
    return [
        TensorError(name, op, _compute_decibels(*pair))
        for (name, _other, op), pair, used in zip(common, sums, usable)
        if used and pair[0] > 0
    ]


def faults(graph: graph_pb2.GraphDef) -> List[str]:
    """What is odd about an INT8 graph, whoever made it."""
    counts = Counter(node.op for node in graph.node)
    found = []
    for op in ("Requantize", "RequantizationRange", "QuantizeDownAndShrinkRange"):
        if counts[op]:
            found.append(f"{counts[op]} x {op} are left: a layer that could be fused is not")
    bad = [node.name for node in graph.node if node.op == _WRONG and _read_mode(node) == b"MIN_FIRST"]
    if bad:
        found.append(
            f"{len(bad)} x {_WRONG} in MIN_FIRST mode, such as {bad[0]}: TensorFlow's kernel is wrong where the "
            "smallest value of the input is not 0"
        )
    outputs = _list_ends(graph)
    found.extend(f"ranges: {text}" for text in list(range_faults(Graph(graph, outputs)))[:5])
    return found


def _read_mode(node: node_def_pb2.NodeDef) -> bytes:
    """How it reads its input; MIN_FIRST where nothing is said."""
    return node.attr["input_quant_mode"].s if "input_quant_mode" in node.attr else b"MIN_FIRST"


def _list_ends(graph: graph_pb2.GraphDef) -> List[str]:
    read = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
    return [node.name for node in graph.node if node.name not in read]


def _compute_decibels(signal: float, noise: float) -> float:
    return min(10.0 * float(np.log10((signal + _TINY) / (noise + _TINY))), 200.0)

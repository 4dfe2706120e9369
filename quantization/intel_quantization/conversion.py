"""What a conversion gives: the graphs, what was decided for each node and why, and what calibration saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Optional, Sequence, Tuple

from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.errors import QuantizationError
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.emitted_layer import EmittedLayer
from intel_quantization.reading.call import Call
from intel_quantization.reading.interface import TensorInfo


@dataclass(frozen=True)
class OpCount:
    """One row of the table *Op | total | INT8 | FP32*: nodes of the optimized FP32 graph by op."""

    op: str
    total: int
    int8: int
    fp32: int


@dataclass(frozen=True)
class Conversion:
    """What a conversion gives.

    Attributes:
        graph: the INT8 graph.
        fp32_graph: the optimized FP32 graph that was calibrated.
        input_graph: the graph as it was read, frozen if it was not.
        inputs: the graph's inputs.
        outputs: the graph's outputs; the same in all three graphs.
        statistics: what calibration saw.
        decisions: for every convolution, matrix product, pool and concatenation, whether it became INT8, and
            why not. Nodes of function bodies are named ``function/node``.
        remaining: what else stays FP32 and computes something, each with its reason.
        layers: how each layer that became INT8 was emitted.
        op_table: counts by op, of the ops that have an INT8 form here.
        output_graph: path of the INT8 graph, or of its SavedModel's folder; None where none was written.
        call: what callers of the graph name.
        notes: what a user should know of what was written.
        made_for: the TensorFlow versions whose registries have all that the INT8 graph uses: the one that runs,
            and with a target those from that one on, the oldest first.
    """

    # what fills pages is not in the repr, which notebooks show
    graph: graph_pb2.GraphDef = field(repr=False)
    fp32_graph: graph_pb2.GraphDef = field(repr=False)
    input_graph: graph_pb2.GraphDef = field(repr=False)
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[TensorInfo, ...]
    statistics: Statistics = field(repr=False)
    decisions: Tuple[Decision, ...] = field(repr=False)
    op_table: Tuple[OpCount, ...]
    output_graph: Optional[str] = None
    made_for: Tuple[str, ...] = ()
    remaining: Tuple[Decision, ...] = field(default=(), repr=False)
    layers: Tuple[EmittedLayer, ...] = field(default=(), repr=False)
    call: Call = field(default_factory=Call, repr=False)
    notes: Tuple[str, ...] = ()


def in_graph_order(graph_def: graph_pb2.GraphDef, decisions: Sequence[Decision]) -> Tuple[Decision, ...]:
    """The decisions in the order of their nodes; those in function bodies, which the graph does not have, last."""
    position = {node.name: number for number, node in enumerate(graph_def.node)}
    return tuple(sorted(decisions, key=lambda decision: position.get(decision.node, len(position))))


def op_counts(decisions: Sequence[Decision]) -> Tuple[OpCount, ...]:
    """The table *Op | total | INT8 | FP32*."""
    total = Counter(decision.op for decision in decisions)
    int8 = Counter(decision.op for decision in decisions if decision.int8)
    return tuple(OpCount(op, count, int8[op], count - int8[op]) for op, count in sorted(total.items()))


def nothing_to_quantize(graph: Graph, decisions: Sequence[Decision]) -> QuantizationError:
    """The error for a graph of which nothing became INT8; it names the first reasons."""
    reasons = ["%s: %s" % (decision.node, decision.reason) for decision in decisions[:3]]
    remedy = "the graph has no Conv2D, DepthwiseConv2dNative or MatMul"
    if reasons:
        remedy = "see the reasons; --excluded_ops and --excluded_nodes may have left nothing"
    elif any(node.op.startswith("Quantized") for node in graph.nodes.values()):
        remedy = "the graph is quantized already: give the FP32 graph"
    return QuantizationError("; ".join(["no operation can become INT8", *reasons]), remedy)

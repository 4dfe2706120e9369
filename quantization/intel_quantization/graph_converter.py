"""The public API: an FP32 frozen graph in, an INT8 graph out."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Optional, Sequence, Tuple, Union

import numpy as np
from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.instrument import calibrate
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.graph import registry
from intel_quantization.graph.capabilities import RUNNING
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.interface import TensorInfo, check_excluded, find_inputs, find_outputs
from intel_quantization.graph.io import read_graph, write_graph
from intel_quantization.graph.verify import verify, verify_quantized
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.carries import find_carries
from intel_quantization.quantize.emission import emit
from intel_quantization.quantize.groups import Decision
from intel_quantization.quantize.plan import decide
from intel_quantization.transforms.cut_at_inputs import cut_at_inputs
from intel_quantization.transforms.pipeline import optimize

STAGES = ("read", "optimize", "calibrate", "quantize", "verify")
Feed = Iterable[Dict[str, np.ndarray]]


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
        input_graph: the graph as it was read.
        inputs: the graph's inputs.
        outputs: the graph's outputs; the same in all three graphs.
        statistics: what calibration saw.
        decisions: for every convolution, matrix product, pool and concatenation, whether it became INT8, and
            why not.
        op_table: counts by op, of the ops that have an INT8 form here.
    """

    graph: graph_pb2.GraphDef
    fp32_graph: graph_pb2.GraphDef
    input_graph: graph_pb2.GraphDef
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[TensorInfo, ...]
    statistics: Statistics
    decisions: Tuple[Decision, ...]
    op_table: Tuple[OpCount, ...]


class GraphConverter:
    """Converts an FP32 frozen graph into an INT8 graph for oneDNN.

    Args:
        input_graph: path of a binary frozen graph, or a GraphDef.
        output_graph: path of the INT8 graph, None to write none.
        inputs: names of the inputs; found in the graph when left out.
        outputs: names of the outputs; found in the graph when left out.
        excluded_ops: op names that stay FP32, e.g. ``["MatMul"]``.
        excluded_nodes: names of nodes that stay FP32.
        per_channel: one weight range for each output channel; more accurate, as fast. False by
            default, as in intel-quantization 1.1.
        input_graph_is_binary: only binary graphs are read for now.
        calibration_data: batches, each a dict tensor name -> array, e.g. an ImageFeed.
        on_stage: called with the name of each stage (``STAGES``) when it begins.
        on_progress: called with the number of batches after each batch of calibration.
        intermediate_dir: a directory for the graph after each stage; None keeps none.
        threads: threads within an op while calibrating, 0 for as many as there are cores.
    """

    def __init__(
        self,
        input_graph: Union[str, graph_pb2.GraphDef],
        output_graph: Optional[str] = None,
        inputs: Optional[Sequence[str]] = None,
        outputs: Optional[Sequence[str]] = None,
        excluded_ops: Sequence[str] = (),
        excluded_nodes: Sequence[str] = (),
        per_channel: bool = False,
        input_graph_is_binary: bool = True,
        *,
        calibration_data: Optional[Feed] = None,
        on_stage: Optional[Callable[[str], None]] = None,
        on_progress: Optional[Callable[[int], None]] = None,
        intermediate_dir: Optional[str] = None,
        threads: int = 0,
    ) -> None:
        if not input_graph_is_binary:
            raise BadInputError("text graphs are not read yet", "give a binary frozen graph (.pb)")
        self.input_graph = input_graph
        self.output_graph = output_graph
        self.inputs = tuple(inputs or ())
        self.outputs = tuple(outputs or ())
        self.excluded_ops = tuple(excluded_ops)
        self.excluded_nodes = tuple(excluded_nodes)
        self.per_channel = per_channel
        self.calibration_data = calibration_data
        self.intermediate_dir = intermediate_dir
        self.threads = threads
        self._capabilities = RUNNING
        self._on_stage = on_stage or (lambda name: None)
        self._on_progress = on_progress or (lambda batches: None)

    def convert(self) -> Conversion:
        """Read, optimize, calibrate, quantize, verify, and write where an output was named.

        Raises:
            BadInputError: the graph, the names or the calibration data cannot be used.
            QuantizationError: the conversion failed, or nothing could become INT8.
        """
        self._on_stage("read")
        graph_def = read_graph(self.input_graph) if isinstance(self.input_graph, str) else self.input_graph
        inputs = find_inputs(graph_def, self.inputs)
        outputs = find_outputs(graph_def, self.outputs)
        if self.calibration_data is None:
            raise BadInputError("there are no calibration data", "give some, as --data_location or calibration_data")
        graph = Graph(graph_def, [info.name for info in outputs])
        self._check_excluded_ops(graph)
        check_excluded(graph_def, self.excluded_nodes)
        cut_at_inputs(graph, self.inputs)

        self._on_stage("optimize")
        optimize(graph, after_pass=self._keep_pass)
        fp32_graph = graph.to_graph_def()
        candidates, refused = find_candidates(graph, self.excluded_ops, self.excluded_nodes, self._capabilities)
        if not candidates:
            raise _nothing(graph, refused)
        graph_outputs = graph.outputs
        del graph  # while the session holds its own copies of the weights

        self._on_stage("calibrate")
        observed = tuple(dict.fromkeys(name for group in candidates for name in group.observed()))
        sources = [group.source for group in candidates]
        statistics = calibrate(
            fp32_graph, observed, self.calibration_data, self._on_progress, sources, threads=self.threads
        )

        self._on_stage("quantize")
        graph = Graph(fp32_graph, graph_outputs)
        carries = find_carries(graph, self.excluded_ops, self.excluded_nodes)
        items, decided = decide(graph, candidates, statistics, carries, self._capabilities)
        decisions = _in_graph_order(fp32_graph, refused + decided)
        if not items:
            raise _nothing(graph, decisions)
        emit(graph, items, statistics, self.per_channel)
        op_table = _op_table(decisions)

        self._on_stage("verify")
        verify(graph, "quantize")
        verify_quantized(graph)
        int8_graph = graph.to_graph_def()
        self._keep("int8", int8_graph)
        if self.output_graph is not None:
            write_graph(int8_graph, self.output_graph)
        return Conversion(int8_graph, fp32_graph, graph_def, inputs, outputs, statistics, decisions, op_table)

    def _check_excluded_ops(self, graph: Graph) -> None:
        ops = {node.op for node in graph.nodes.values()}
        for op in self.excluded_ops:
            if op not in ops and registry.op_def(op) is None:
                near = difflib.get_close_matches(op, sorted(ops), n=1, cutoff=0.5)
                remedy = "did you mean '%s'?" % near[0] if near else "ops are named as in the graph, e.g. MatMul"
                raise BadInputError("there is no op '%s' to exclude" % op, remedy)

    def _keep_pass(self, number: int, name: str, graph: Graph) -> None:
        if self.intermediate_dir is not None:
            self._keep("%02d_%s" % (number, name), graph.to_graph_def())

    def _keep(self, name: str, graph_def: graph_pb2.GraphDef) -> None:
        if self.intermediate_dir is not None:
            write_graph(graph_def, os.path.join(self.intermediate_dir, name + ".pb"))


def _in_graph_order(graph_def: graph_pb2.GraphDef, decisions: Sequence[Decision]) -> Tuple[Decision, ...]:
    position = {node.name: number for number, node in enumerate(graph_def.node)}
    return tuple(sorted(decisions, key=lambda decision: position[decision.node]))


def _op_table(decisions: Sequence[Decision]) -> Tuple[OpCount, ...]:
    total = Counter(decision.op for decision in decisions)
    int8 = Counter(decision.op for decision in decisions if decision.int8)
    return tuple(OpCount(op, count, int8[op], count - int8[op]) for op, count in sorted(total.items()))


def _nothing(graph: Graph, decisions: Sequence[Decision]) -> QuantizationError:
    reasons = ["%s: %s" % (decision.node, decision.reason) for decision in decisions[:3]]
    remedy = "the graph has no Conv2D, DepthwiseConv2dNative or MatMul"
    if reasons:
        remedy = "see the reasons; --excluded_ops and --excluded_nodes may have left nothing"
    elif any(node.op.startswith("Quantized") for node in graph.nodes.values()):
        remedy = "the graph is quantized already: give the FP32 graph"
    return QuantizationError("; ".join(["no operation can become INT8", *reasons]), remedy)

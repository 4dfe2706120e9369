"""The quantize and verify stages: from the optimized FP32 graph and its statistics to the INT8 graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import List, Optional, Sequence, Tuple

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.conversion import Conversion, in_graph_order, nothing_to_quantize, op_counts
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.newer_attributes import strip_newer_attributes
from intel_quantization.graph_files import FROZEN_RANGES, GraphFiles
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.emitted_layer import EmittedLayer
from intel_quantization.quantize.quantize_graph import Options, quantize_graph
from intel_quantization.reading.load import Loaded
from intel_quantization.stages.optimize import Optimized
from intel_quantization.verify.graph import verify, verify_quantized
from intel_quantization.verify.target import verify_target
from intel_quantization.writing.write_result import write_result


@dataclass(frozen=True)
class Quantized:
    """The INT8 graph as it was emitted.

    Attributes:
        graph: the graph; :func:`verify_result` alone edits it.
        decisions: for every linear op, pool and concatenation, in the order of the graph.
        remaining: what else stays FP32.
        layers: how each layer was emitted.
    """

    graph: Graph = field(repr=False)
    decisions: Tuple[Decision, ...]
    remaining: Tuple[Decision, ...]
    layers: Tuple[EmittedLayer, ...] = ()


def quantize_optimized(
    optimized: Optimized, statistics: Statistics, options: Options, capabilities: Capabilities, files: GraphFiles
) -> Quantized:
    """Decide what becomes INT8, and emit it; the FP32 graph stays as it is.

    Raises:
        QuantizationError: nothing could become INT8.
    """
    fp32 = optimized.graph_def
    graph = Graph(fp32, optimized.outputs)

    def stop(decided: Sequence[Decision]) -> None:
        raise nothing_to_quantize(graph, in_graph_order(fp32, decided))

    layers: List[EmittedLayer] = []
    decided, remaining = quantize_graph(
        graph, optimized.candidates, optimized.refused, statistics, options, capabilities, stop, layers.extend
    )
    files.debug(FROZEN_RANGES, graph)
    return Quantized(graph, in_graph_order(fp32, decided), remaining, tuple(layers))


def verify_result(
    loaded: Loaded,
    optimized: Optimized,
    statistics: Statistics,
    quantized: Quantized,
    capabilities: Capabilities,
    files: GraphFiles,
    output_graph: Optional[str] = None,
    allow_op: Sequence[str] = (),
) -> Conversion:
    """Verify the INT8 graph, and write it where a path is given: a SavedModel where that ends in a slash.

    Raises:
        InvalidGraphError: an invariant is broken, which is a defect of ours.
        QuantizationError: the graph cannot be written.
    """
    graph = quantized.graph
    verify(graph, "quantize")
    verify_quantized(graph)
    strip_newer_attributes(graph, capabilities.has_attr)
    verify_target(graph, capabilities)
    int8_graph = graph.to_graph_def()
    files.stage("int8", graph)
    conversion = Conversion(
        int8_graph,
        optimized.graph_def,
        loaded.graph_def,
        loaded.inputs,
        loaded.outputs,
        statistics,
        quantized.decisions,
        op_counts(quantized.decisions),
        output_graph,
        capabilities.versions(),
        quantized.remaining,
        quantized.layers,
        loaded.call,
    )
    if output_graph is None:
        return conversion
    return replace(conversion, notes=write_result(conversion, output_graph, allow_op))

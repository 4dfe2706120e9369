"""Quantize anew what a conversion calibrated: other options, the same statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Sequence

from intel_quantization.conversion import Conversion, in_graph_order, nothing_to_quantize, op_counts
from intel_quantization.graph.capabilities import Capabilities
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.newer_attributes import strip_newer_attributes
from intel_quantization.graph.verify import verify, verify_quantized
from intel_quantization.graph.verify_target import verify_target
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.emitted_layer import EmittedLayer
from intel_quantization.quantize.groups import Decision
from intel_quantization.quantize.quantize_graph import Options, quantize_graph


def quantize_again(conversion: Conversion, options: Options, target_tensorflow: Optional[str] = None) -> Conversion:
    """Quantize the optimized FP32 graph of a conversion with its statistics; the same options give the same graph.

    Args:
        conversion: what GraphConverter gave, in this process: patches are not saved.
        options: how.
        target_tensorflow: as for GraphConverter.

    Raises:
        QuantizationError: nothing becomes INT8.
    """
    capabilities = Capabilities(target_tensorflow)
    graph = Graph(conversion.fp32_graph, [info.name for info in conversion.outputs])
    candidates, refused = find_candidates(graph, options.excluded_ops, options.excluded_nodes, capabilities)
    if not candidates:
        raise nothing_to_quantize(graph, refused)
    layers: List[EmittedLayer] = []

    def stop(decided: Sequence[Decision]) -> None:
        raise nothing_to_quantize(graph, in_graph_order(conversion.fp32_graph, decided))

    decided, remaining = quantize_graph(
        graph, candidates, refused, conversion.statistics, options, capabilities, stop, layers.extend
    )
    decisions = in_graph_order(conversion.fp32_graph, decided)
    verify(graph, "quantize")
    verify_quantized(graph)
    strip_newer_attributes(graph, capabilities.has_attr)
    verify_target(graph, capabilities)
    return replace(
        conversion,
        graph=graph.to_graph_def(),
        decisions=decisions,
        op_table=op_counts(decisions),
        remaining=remaining,
        layers=tuple(layers),
    )

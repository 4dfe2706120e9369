"""Quantize anew what a conversion calibrated: other options, the same statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from intel_quantization.conversion import Conversion, nothing_to_quantize, op_counts
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.newer_attributes import strip_newer_attributes
from intel_quantization.graph_files import GraphFiles
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.stages.optimize import Optimized
from intel_quantization.stages.quantize import quantize_optimized
from intel_quantization.verify.graph import verify, verify_quantized
from intel_quantization.verify.target import verify_target


def quantize_again(conversion: Conversion, options: Options, target_tensorflow: Optional[str] = None) -> Conversion:
    """Quantize the optimized FP32 graph of a conversion with its statistics; the same options give the same graph.

    Args:
        conversion: what GraphConverter gave, with the patches of its statistics.
        options: how.
        target_tensorflow: as for GraphConverter.

    Raises:
        QuantizationError: nothing becomes INT8.
    """
    capabilities = Capabilities(target_tensorflow)
    outputs = tuple(info.name for info in conversion.outputs)
    fp32 = Graph(conversion.fp32_graph, outputs)
    candidates, refused = find_candidates(fp32, options.excluded_ops, options.excluded_nodes, capabilities)
    if not candidates:
        raise nothing_to_quantize(fp32, refused)
    optimized = Optimized(conversion.fp32_graph, outputs, candidates, refused, {})
    quantized = quantize_optimized(optimized, conversion.statistics, options, capabilities, GraphFiles(None, None))
    verify(quantized.graph, "quantize")
    verify_quantized(quantized.graph)
    strip_newer_attributes(quantized.graph, capabilities.has_attr)
    verify_target(quantized.graph, capabilities)
    return replace(
        conversion,
        graph=quantized.graph.to_graph_def(),
        decisions=quantized.decisions,
        op_table=op_counts(quantized.decisions),
        remaining=quantized.remaining,
        layers=quantized.layers,
    )

"""The optimize stage: from the graph as it was read to the FP32 graph that is calibrated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Sequence, Tuple

from tensorflow.core.framework import graph_pb2

from intel_quantization.contract.nearest import did_you_mean
from intel_quantization.conversion import nothing_to_quantize
from intel_quantization.errors import BadInputError
from intel_quantization.graph.explain import explained
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.newer_attributes import strip_newer_attributes
from intel_quantization.graph_files import OPTIMIZED, GraphFiles
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.window import Window
from intel_quantization.ops import registry
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.windows import window_of
from intel_quantization.reading.interface import check_excluded
from intel_quantization.reading.load import Loaded
from intel_quantization.transforms.cut_at_inputs import cut_at_inputs
from intel_quantization.transforms.pipeline import OPTIMIZE_FP32, optimize
from intel_quantization.verify.target import check_target


@dataclass(frozen=True)
class Optimized:
    """The optimized FP32 graph, and what of it may become INT8.

    Attributes:
        graph_def: the graph.
        outputs: names of its outputs.
        candidates: what may become INT8.
        refused: the linear ops that may not, and why.
        windows: what each candidate reads for one position of its output, by the name of its linear op.
    """

    graph_def: graph_pb2.GraphDef = field(repr=False)
    outputs: Tuple[str, ...]
    candidates: Tuple[Group, ...]
    refused: Tuple[Decision, ...]
    windows: Dict[str, Window]

    @property
    def observed(self) -> Tuple[str, ...]:
        """The tensors whose statistics are needed."""
        return tuple(dict.fromkeys(name for group in self.candidates for name in group.observed()))

    @property
    def sources(self) -> Tuple[str, ...]:
        """Those of them of which each channel is looked at."""
        return tuple(group.source for group in self.candidates)


def optimize_graph(
    loaded: Loaded,
    excluded_ops: Sequence[str],
    excluded_nodes: Sequence[str],
    capabilities: Capabilities,
    files: GraphFiles,
    rewrite: bool = True,
) -> Optimized:
    """Rewrite a graph until it is made of few, plain ops, and find what may become INT8.

    Args:
        loaded: what was read.
        excluded_ops: op names that stay FP32.
        excluded_nodes: nodes that stay FP32.
        capabilities: of the TensorFlow that the INT8 graph is made for.
        files: where graphs between are kept.
        rewrite: False for a graph that is optimized already.

    Raises:
        BadInputError: there is no such op or node to exclude, or TensorFlow cannot import the graph.
        QuantizationError: nothing can become INT8.
    """
    graph_def = loaded.graph_def
    graph = Graph(graph_def, [info.name for info in loaded.outputs])
    _check_excluded_ops(graph, excluded_ops)
    check_excluded(graph_def, excluded_nodes)
    with explained(graph_def):
        cut_at_inputs(graph, [info.name for info in loaded.inputs])
        passes = OPTIMIZE_FP32 if rewrite else ()
        optimize(graph, passes, lambda number, name, after: files.stage("%02d_%s" % (number, name), after))
        strip_newer_attributes(graph, capabilities.has_attr)
        check_target(graph, capabilities)
        fp32_graph = graph.to_graph_def()
        if rewrite:
            files.debug(OPTIMIZED, graph)
        candidates, refused = find_candidates(graph, excluded_ops, excluded_nodes, capabilities)
    if not candidates:
        raise nothing_to_quantize(graph, refused)
    windows = {group.linear: window_of(graph, group) for group in candidates}
    return Optimized(fp32_graph, tuple(graph.outputs), candidates, refused, windows)


def _check_excluded_ops(graph: Graph, excluded: Sequence[str]) -> None:
    ops = {node.op for node in graph.nodes.values()}
    for op in excluded:
        if op not in ops and registry.op_def(op) is None:
            remedy = did_you_mean(op, sorted(ops), "ops are named as in the graph, e.g. MatMul", quoted=True)
            raise BadInputError("there is no op '%s' to exclude" % op, remedy)

"""Begin the graph at its inputs: one that is computed (a decoder, a queue) becomes a Placeholder."""

from __future__ import annotations

from typing import Iterable

from tensorflow.python.framework import dtypes

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import dtype_attr
from intel_quantization.graph.graph import Graph
from intel_quantization.ops import registry


def cut_at_inputs(graph: Graph, inputs: Iterable[str]) -> int:
    """Turn inputs that are no Placeholder into one, under their own names; returns how many.

    Otherwise a rewrite might remove or fold the very node that is fed. A node with several outputs
    stays as it is: a Placeholder has but one.

    Args:
        graph: edited in place; what only fed those nodes is left to prune.
        inputs: names of tensors or nodes.
    """
    count = 0
    for name in inputs:
        node = graph.producer(name)
        if node.op == "PlaceholderWithDefault" and registry.output_dtype(node) != dtypes.bool.as_datatype_enum:
            continue  # nothing removes or folds it, but a bool might be taken for a training switch that nobody feeds
        definition = registry.op_def(node.op)
        single = definition is not None and registry.output_dtype(node, 1) == 0
        if node.op != "Placeholder" and single and tensors.split(name)[1] == 0:
            dtype = registry.output_dtype(node)
            graph.set_inputs(node, [])
            node.op = "Placeholder"
            node.attr.clear()
            node.attr["dtype"].CopyFrom(dtype_attr(dtype))
            node.attr["shape"].shape.unknown_rank = True
            count += 1
    return count

"""A graph's interface: which nodes it is fed through, and which give its results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Set, Tuple

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import dtypes

from intel_quantization.contract.nearest import did_you_mean
from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.ops import registry
from intel_quantization.reading.results import PLACEHOLDERS, result_nodes

# What gives batches where no placeholder does.
_PIPELINE = re.compile(r"IteratorGetNext|QueueDequeue|Decode(Jpeg|Png|Image|Bmp|Gif)$|ParseExample|Batch$")
# Of one batch: 2 GB of float32.
_MOST_VALUES = 2**29
_PASS_THROUGH = ("Identity", "StopGradient", "Snapshot")


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of the interface.

    Attributes:
        name: with its output index, ``input:0``.
        node: the node's name, ``input``.
        dtype: TensorFlow's name for it, ``float32``; empty where the graph does not tell.
        shape: None for unknown rank; None in it for an unknown dimension.
    """

    name: str
    node: str
    dtype: str
    shape: Optional[Tuple[Optional[int], ...]]


def find_inputs(
    graph_def: graph_pb2.GraphDef, names: Sequence[str] = (), outputs: Sequence[str] = ()
) -> Tuple[TensorInfo, ...]:
    """The inputs: the named ones, or every Placeholder that an output depends on.

    Args:
        graph_def: the graph.
        names: the inputs' names, of nodes or tensors.
        outputs: the outputs' names; empty: every Placeholder is an input.

    Raises:
        BadInputError: a name is not in the graph, or the graph has no Placeholder.
    """
    nodes = {node.name: node for node in graph_def.node}
    if names:
        return tuple(_read_info(nodes, _check_name(nodes, name, "input")) for name in names)
    needed = _find_needed(nodes, outputs) if outputs else set(nodes)
    for op in PLACEHOLDERS:  # one with a default counts where there is no other
        found = [node.name for node in graph_def.node if node.op == op and node.name in needed]
        if found:
            return tuple(_read_info(nodes, name) for name in found)
    pipeline = [node.name for node in graph_def.node if _PIPELINE.match(node.op) and node.name in needed]
    remedy = "name its inputs with --inputs"
    raise BadInputError("the graph has no Placeholder", remedy + (", maybe '%s'" % pipeline[-1] if pipeline else ""))


def check_sizes(inputs: Sequence[TensorInfo], name: str) -> None:
    """Refuse inputs so large that a batch fits into no memory; what the graph leaves open counts as one.

    Args:
        inputs: those of the graph.
        name: for the message, such as the graph's path.

    Raises:
        BadInputError: one is.
    """
    for info in inputs:
        values = 1
        for size in info.shape or ():
            values *= size or 1
        if values > _MOST_VALUES:
            shape = ",".join("?" if size is None else str(size) for size in info.shape or ())
            raise BadInputError(
                "%s: the input %s is %s [%s]; a batch has at most %d values"
                % (name, info.name, info.dtype, shape, _MOST_VALUES),
                "name other inputs with --inputs, or export the graph with a smaller one",
            )


def find_outputs(
    graph_def: graph_pb2.GraphDef, names: Sequence[str] = (), inputs: Sequence[str] = ()
) -> Tuple[TensorInfo, ...]:
    """The outputs: the named ones, or all tensors of every node that gives results.

    Args:
        graph_def: the graph.
        names: the outputs' names, of nodes or tensors.
        inputs: nodes or tensors that are fed, besides the placeholders.

    Raises:
        BadInputError: a name is not in the graph, or no node can be an output.
    """
    nodes = {node.name: node for node in graph_def.node}
    if names:
        return tuple(_read_info(nodes, _check_name(nodes, name, "output")) for name in names)
    found = [
        "%s:%d" % (name, index) for name in result_nodes(graph_def, inputs) for index in range(_count(nodes[name]))
    ]
    if not found:
        raise BadInputError("no node of the graph looks like an output", "name its outputs with --outputs")
    return tuple(_read_info(nodes, name) for name in found)


def _find_needed(nodes: Dict[str, node_def_pb2.NodeDef], outputs: Sequence[str]) -> Set[str]:
    stack = [tensors.node_of(name) for name in outputs]
    needed: Set[str] = set()
    while stack:
        name = stack.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            stack.extend(tensors.node_of(item) for item in nodes[name].input)
    return needed


def _count(node: node_def_pb2.NodeDef) -> int:
    """How many tensors of a result are results; a batch norm's others are for training."""
    if node.op.startswith("FusedBatchNorm"):
        return 1
    count = 1
    while registry.output_dtype(node, count):
        count += 1
    return count


def check_excluded(graph_def: graph_pb2.GraphDef, names: Sequence[str]) -> None:
    """Check that nodes to be left alone exist.

    Raises:
        BadInputError: one does not; the nearest name is suggested.
    """
    nodes = {node.name: node for node in graph_def.node}
    for name in names:
        _check_name(nodes, name, "excluded node")


def _check_name(nodes: Dict[str, node_def_pb2.NodeDef], name: str, kind: str) -> str:
    if tensors.node_of(name) in nodes:
        return name
    otherwise = "leave the option out: inputs and outputs are then found"
    if kind == "excluded node":
        otherwise = "nodes are named as in the graph; the report lists those that became INT8"
    remedy = did_you_mean(tensors.node_of(name), nodes, otherwise, quoted=True)
    raise BadInputError("the %s '%s' is not in the graph" % (kind, name), remedy)


def _read_info(nodes: Dict[str, node_def_pb2.NodeDef], name: str) -> TensorInfo:
    try:
        node_name, index = tensors.split(name)
    except ValueError:
        raise BadInputError("'%s' is not a tensor name" % name, "write NODE or NODE:OUTPUT") from None
    node = nodes[node_name]
    seen = set()  # a damaged graph may have a cycle
    while node.op in _PASS_THROUGH and "shape" not in node.attr and node.input and node.name not in seen:
        seen.add(node.name)
        source = nodes.get(tensors.node_of(node.input[0]))
        if source is None:
            break
        node = source
    number = registry.output_dtype(node, index)
    if not number and registry.op_def(node.op) is not None:
        raise BadInputError("'%s' has no output %d" % (node_name, index), "leave the number out")
    dtype = dtypes.as_dtype(number).name if number else ""
    shape: Optional[Tuple[Optional[int], ...]] = None
    if "shape" in node.attr and not node.attr["shape"].shape.unknown_rank:
        shape = tuple(dim.size if dim.size >= 0 else None for dim in node.attr["shape"].shape.dim)
        if node.op == "Placeholder" and not shape:
            # TF 1 wrote an unknown shape as an empty one; a scalar image does not exist
            shape = None
    return TensorInfo("%s:%d" % (node_name, index), node_name, dtype, shape)

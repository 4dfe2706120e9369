"""A graph's interface: which nodes it is fed through, and which give its results."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Set, Tuple

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import dtypes

from intel_quantization.errors import BadInputError
from intel_quantization.graph import registry, tensors

# Nodes without a consumer that are leftovers and no results.
_NO_RESULT = frozenset(
    ["Assert", "NoOp", "Const", "Placeholder", "PlaceholderWithDefault", "CheckNumerics", "Print", "PrintV2"]
    + ["SaveV2", "RestoreV2", "MergeV2Checkpoints", "ScalarSummary", "HistogramSummary", "ImageSummary"]
    + ["MergeSummary", "WriteFile", "Exit", "Enter", "Switch", "LoopCond", "NextIteration"]
)
_PASS_THROUGH = ("Identity", "StopGradient", "Snapshot")
# TensorFlow's own name for the branch around an Assert; nobody reads its result.
_ASSERTION = "AssertGuard/"


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


def find_inputs(graph_def: graph_pb2.GraphDef, names: Sequence[str] = ()) -> Tuple[TensorInfo, ...]:
    """The inputs: the named ones, or every Placeholder.

    Raises:
        BadInputError: a name is not in the graph, or the graph has no Placeholder.
    """
    nodes = {node.name: node for node in graph_def.node}
    if names:
        return tuple(_info(nodes, _known(nodes, name, "input")) for name in names)
    found = [node.name for node in graph_def.node if node.op == "Placeholder"]
    if not found:
        raise BadInputError("the graph has no Placeholder", "name its inputs with --inputs")
    return tuple(_info(nodes, name) for name in found)


def find_outputs(graph_def: graph_pb2.GraphDef, names: Sequence[str] = ()) -> Tuple[TensorInfo, ...]:
    """The outputs: the named ones, or every node that computes something nobody reads.

    Raises:
        BadInputError: a name is not in the graph, or no node can be an output.
    """
    nodes = {node.name: node for node in graph_def.node}
    if names:
        return tuple(_info(nodes, _known(nodes, name, "output")) for name in names)
    read: Set[str] = set()
    for node in graph_def.node:
        for name in node.input:
            # a control edge does not read the value: a result may well have one leaving it
            if not tensors.is_control(name):
                read.add(tensors.node_of(name))
    found = [node.name for node in graph_def.node if node.name not in read and node.op not in _NO_RESULT]
    fed = _fed_by_placeholder(graph_def)
    found = [name for name in found if name in fed and not _is_branch_pivot(nodes, name) and _ASSERTION not in name]
    if not found:
        raise BadInputError("no node of the graph looks like an output", "name its outputs with --outputs")
    return tuple(_info(nodes, name) for name in found)


def _fed_by_placeholder(graph_def: graph_pb2.GraphDef) -> Set[str]:
    consumers: Dict[str, List[str]] = {}
    for node in graph_def.node:
        for name in node.input:
            consumers.setdefault(tensors.node_of(name), []).append(node.name)
    stack = [node.name for node in graph_def.node if node.op in ("Placeholder", "PlaceholderWithDefault")]
    reached: Set[str] = set()
    while stack:
        name = stack.pop()
        if name not in reached:
            reached.add(name)
            stack.extend(consumers.get(name, ()))
    return reached


def check_excluded(graph_def: graph_pb2.GraphDef, names: Sequence[str]) -> None:
    """Check that nodes to be left alone exist.

    Raises:
        BadInputError: one does not; the nearest name is suggested.
    """
    nodes = {node.name: node for node in graph_def.node}
    for name in names:
        _known(nodes, name, "excluded node")


def _is_branch_pivot(nodes: Dict[str, node_def_pb2.NodeDef], name: str) -> bool:
    """Whether a node only marks a branch of a tf.cond (``cond/switch_t``, ``cond/pred_id``)."""
    node = nodes[name]
    if node.op != "Identity" or not node.input or registry.output_dtype(node) != dtypes.bool.as_datatype_enum:
        return False
    source = nodes.get(tensors.node_of(node.input[0]))
    return source is not None and source.op in ("Switch", "Merge", "LogicalAnd", "LoopCond")


def _known(nodes: Dict[str, node_def_pb2.NodeDef], name: str, kind: str) -> str:
    if tensors.node_of(name) in nodes:
        return name
    near = difflib.get_close_matches(tensors.node_of(name), list(nodes), n=1, cutoff=0.5)
    if near:
        remedy = "did you mean '%s'?" % near[0]
    elif kind == "excluded node":
        remedy = "nodes are named as in the graph; the report lists those that became INT8"
    else:
        remedy = "leave the option out: inputs and outputs are then found"
    raise BadInputError("the %s '%s' is not in the graph" % (kind, name), remedy)


def _info(nodes: Dict[str, node_def_pb2.NodeDef], name: str) -> TensorInfo:
    try:
        node_name, index = tensors.split(name)
    except ValueError:
        raise BadInputError("'%s' is not a tensor name" % name, "write NODE or NODE:OUTPUT") from None
    node = nodes[node_name]
    while node.op in _PASS_THROUGH and "shape" not in node.attr and node.input:
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

"""Declarative patterns over a graph: a match gives bindings, a failure the reason why not.

A pattern is matched from the last node of a subgraph up through its inputs::

    BATCH_NORM = Op(
        "FusedBatchNormV3",
        inputs=(Op("Conv2D", inputs=(Any("x"), Const("weights")), bind="conv", private=True), Const("scale"), ...),
        bind="norm",
    )
    found = match(graph, node, BATCH_NORM)
    if found:
        found.nodes["conv"], found.values["weights"], found.tensors["x"]
    else:
        found.reason
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple, Union

import numpy as np
from tensorflow.core.framework import node_def_pb2

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph


@dataclass(frozen=True)
class Any:
    """Any tensor; ``bind`` names it in ``Match.tensors``."""

    bind: str


@dataclass(frozen=True)
class Const:
    """A Const, possibly behind Identity; bound in ``Match.values`` and ``Match.tensors``.

    Attributes:
        bind: name of the binding.
        rank: the number of dimensions that it must have, None for any.
    """

    bind: str
    rank: Optional[int] = None


@dataclass(frozen=True)
class Op:
    """A node.

    Attributes:
        op: the op's name, or several with ``|`` between them.
        inputs: patterns of the first data inputs; further inputs are not looked at.
        bind: name of the binding in ``Match.nodes``.
        private: nothing but the match may read the node, and it may be no output; and it has no
            control inputs, which a rewrite would lose.
        commutative: the two inputs may be swapped.
    """

    op: str
    inputs: Tuple[Pattern, ...] = ()
    bind: str = ""
    private: bool = False
    commutative: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of several nodes, told apart by their ops; where it is none of them, the first one says why."""

    options: Tuple[Op, ...]


Pattern = Union[Any, Const, Op, OneOf]


@dataclass
class Match:
    """What a pattern's names stand for. True in a condition.

    ``depth`` is the number of parts of the pattern that were found.
    """

    nodes: Dict[str, node_def_pb2.NodeDef] = field(default_factory=dict)
    tensors: Dict[str, str] = field(default_factory=dict)
    values: Dict[str, np.ndarray] = field(default_factory=dict)
    depth: int = 0

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True)
class Mismatch:
    """Why a pattern does not match. False in a condition.

    Attributes:
        reason: why; empty where there is nothing to tell.
        depth: how many parts of the pattern were found ahead of that.
        node: the node that stays for that reason; empty: the pattern's last one.
    """

    reason: str
    depth: int = 0
    node: str = ""

    def __bool__(self) -> bool:
        return False


def match(graph: Graph, node: node_def_pb2.NodeDef, pattern: Op) -> Union[Match, Mismatch]:
    """Match a pattern whose last node is ``node``.

    The last node itself may be shared or an output: a rewrite replaces it under its own name.
    """
    found = Match()
    reason = _match_node(graph, node, pattern, found, last=True)
    return Mismatch(reason, found.depth) if reason else found


def _match_tensor(graph: Graph, tensor: str, pattern: Pattern, found: Match) -> str:
    if isinstance(pattern, Any):
        found.tensors[pattern.bind] = tensor
        found.depth += 1
        return ""
    if isinstance(pattern, Const):
        value = graph.constant(tensor)
        if value is None:
            return "'%s' is not a constant" % tensor
        if pattern.rank is not None and value.ndim != pattern.rank:
            return "'%s' has %d dimensions, not %d" % (tensor, value.ndim, pattern.rank)
        found.values[pattern.bind] = value
        found.tensors[pattern.bind] = tensor
        found.depth += 1
        return ""
    name, index = tensors.split(tensor)
    if index:
        return "output %d of '%s' is read" % (index, name)
    node = graph.nodes[name]
    if isinstance(pattern, OneOf):
        fitting = [option for option in pattern.options if node.op in option.op.split("|")]
        pattern = (fitting or pattern.options)[0]
    return _match_node(graph, node, pattern, found, last=False)


def _match_node(graph: Graph, node: node_def_pb2.NodeDef, pattern: Op, found: Match, last: bool) -> str:
    if node.op not in pattern.op.split("|"):
        return "'%s' is a %s, not a %s" % (node.name, node.op, pattern.op)
    found.depth += 1
    if pattern.private and not last and not graph.is_private(node.name):
        return "'%s' is also read elsewhere" % node.name
    if pattern.private and not last and graph.control_inputs(node):
        return "'%s' waits for other nodes" % node.name
    inputs = graph.data_inputs(node)
    if len(inputs) < len(pattern.inputs):
        return "'%s' has %d inputs" % (node.name, len(inputs))
    orders = [inputs]
    if pattern.commutative:
        orders.append(inputs[1::-1] + inputs[2:])
    reason, depth = "", found.depth
    for order in orders:
        trial = Match(dict(found.nodes), dict(found.tensors), dict(found.values), depth)
        reasons = (_match_tensor(graph, tensor, part, trial) for tensor, part in zip(order, pattern.inputs))
        failure = next((text for text in reasons if text), "")
        if not failure:
            found.nodes, found.tensors, found.values = trial.nodes, trial.tensors, trial.values
            found.depth = trial.depth
            if pattern.bind:
                found.nodes[pattern.bind] = node
            return ""
        if not reason or trial.depth > found.depth:  # the order that came further tells
            reason, found.depth = failure, max(trial.depth, found.depth)
    return reason

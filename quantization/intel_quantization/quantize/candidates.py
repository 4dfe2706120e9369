"""Find what may become INT8 in the FP32 graph alone, before anything is known of its values."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import DT_FLOAT, attribute, is_channels_last
from intel_quantization.graph.control_flow import context_of, contexts
from intel_quantization.graph.frames import NEXT_ITERATION
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.twins import Twins
from intel_quantization.kinds.group import RELU, Group, Pads, clipped
from intel_quantization.kinds.linear_kind import NodeCase
from intel_quantization.kinds.registry import LINEAR, PASS_THROUGH, WITHOUT_KERNEL
from intel_quantization.kinds.rules import RefusalRule, find_reason
from intel_quantization.kinds.stands_for import names_of, ops_of
from intel_quantization.ops.capabilities import RUNNING, Capabilities
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.functions import refused_in_functions
from intel_quantization.transforms.rule import refusals
from intel_quantization.transforms.support.clips import find_end
from intel_quantization.transforms.support.linear import output_channels
from intel_quantization.transforms.write_as_matmul import write_as_matmul
from intel_quantization.transforms.write_transposed_convs import write_transposed_convs

_ACTIVATIONS = (RELU, "Relu6")
_ADDS = ("Add", "AddV2")


def find_candidates(
    graph: Graph,
    excluded_ops: Sequence[str] = (),
    excluded_nodes: Sequence[str] = (),
    capabilities: Capabilities = RUNNING,
    left: Optional[Mapping[str, str]] = None,
) -> Tuple[Tuple[Group, ...], Tuple[Decision, ...]]:
    """Find every linear op that may become INT8, with all that can be fused into it.

    What is in function bodies is refused, pools and concatenations among it.

    Args:
        graph: the optimized FP32 graph.
        excluded_ops: op names that stay FP32; such nodes are not fused into others, either.
        excluded_nodes: nodes that stay FP32, likewise.
        capabilities: of the TensorFlow that the graph is made for.
        left: other linear ops that stay FP32, and why.

    Returns:
        The groups, each behind those whose results it reads, and a decision with its reason for
        each linear op that is none.
    """
    finder = _Finder(graph, frozenset(excluded_ops), frozenset(excluded_nodes), capabilities)
    groups: List[Group] = []
    refused: List[Decision] = []
    not_written = refusals(graph, [write_as_matmul, write_transposed_convs])
    for node in finder.order:
        if node.op in LINEAR:
            reason = (left or {}).get(node.name) or finder.refusal(node)
            if reason:
                refused.append(Decision(node.name, node.op, False, reason))
            else:
                groups.append(finder.grow(node))
        elif node.op in WITHOUT_KERNEL and attribute(node, "T").type == DT_FLOAT:
            told = "%s has no INT8 kernel" % node.op
            if node.name in not_written:
                written = "Conv2D" if node.op == "Conv2DBackpropInput" else "MatMul"
                told += ", and it is not written as a %s: %s" % (written, not_written[node.name])
            refused.append(Decision(node.name, node.op, False, told))
    return _producers_first(groups), (*refused, *refused_in_functions(graph))


def _producers_first(groups: Sequence[Group]) -> Tuple[Group, ...]:
    by_root = {group.root: group for group in groups}
    done: Dict[str, Group] = {}
    for first in groups:
        stack = [first]
        while stack:
            group = stack[-1]
            needed = [by_root[name] for name in (group.source, group.summand) if name in by_root and name not in done]
            if needed:
                stack.extend(needed)
            else:
                done[stack.pop().root] = group
    return tuple(done.values())


class _Case(NamedTuple):
    """What _REFUSALS look at."""

    node: NodeDef
    weights: Optional[np.ndarray]
    op_excluded: bool
    node_excluded: bool


# What holds for all linear ops; each kind has more.
_REFUSALS = (
    RefusalRule(lambda case: case.op_excluded, "op excluded by the user"),
    RefusalRule(lambda case: case.node_excluded, "node excluded by the user"),
    RefusalRule(lambda case: attribute(case.node, "T").type != DT_FLOAT, "not float32"),
    RefusalRule(lambda case: case.weights is None, "weights are not constant"),
    RefusalRule(
        lambda case: output_channels(case.node, case.weights) is None,
        lambda case: "weights have %d dimensions" % case.weights.ndim,
    ),
    RefusalRule(lambda case: not np.all(np.isfinite(case.weights)), "weights are not finite"),
    RefusalRule(lambda case: not is_channels_last(case.node), "data format NCHW has no INT8 kernel"),
)


def _shares_memory(node: NodeDef) -> bool:
    """Whether what reads a node in INT8 may read the memory of what that reads."""
    return node.op in PASS_THROUGH and PASS_THROUGH[node.op].shares_memory


class _Finder:
    def __init__(
        self, graph: Graph, excluded_ops: frozenset[str], excluded_nodes: frozenset[str], capabilities: Capabilities
    ) -> None:
        self.graph = graph
        self.capabilities = capabilities
        self.excluded_ops = excluded_ops
        self.excluded_nodes = excluded_nodes
        self.order = graph.topological()
        self.rank = {node.name: number for number, node in enumerate(self.order)}
        self.contexts = contexts(graph)
        self._twins: Optional[Twins] = None

    def refusal(self, node: NodeDef) -> str:
        """Why a linear op is no candidate; empty where it is."""
        weights = self.graph.constant(self.graph.data_inputs(node)[1])
        excluded = bool(ops_of(node) & self.excluded_ops), bool(names_of(node) & self.excluded_nodes)
        case = _Case(node, weights, *excluded)
        return find_reason(_REFUSALS, case) or find_reason(LINEAR[node.op].refusals, NodeCase(self.graph, node))

    def grow(self, node: NodeDef) -> Group:
        """The group around a linear op."""
        graph = self.graph
        source, pads = self._fused_pad(node)
        members, bias, activation = [node.name], None, ""
        following = self._only_reader(node)
        if following is not None and following.op == "BiasAdd" and graph.data_inputs(following)[0] == node.name:
            if graph.constant(graph.data_inputs(following)[1]) is not None:
                bias = graph.data_inputs(following)[1]
                members.append(following.name)
                following = self._only_reader(following)
        if LINEAR[node.op].adds and bias and following is not None and following.op in _ADDS:
            activated = self._only_reader(following)
            summand = self._summand(node, following, members[-1])
            if summand:
                members.append(following.name)
                if activated is not None and activated.op in _ACTIVATIONS:
                    activation = self._take_activation(activated, members)
                return Group(node.name, node.op, source, pads, bias, summand, activation, members[-1], tuple(members))
        if following is not None and following.op in _ACTIVATIONS:
            activation = self._take_activation(following, members)
        return Group(node.name, node.op, source, pads, bias, None, activation, members[-1], tuple(members))

    def _take_activation(self, node: NodeDef, members: List[str]) -> str:
        """An activation, with a Minimum that ends it; both become members."""
        members.append(node.name)
        following = self._only_reader(node)
        if node.op != RELU or following is None or following.op != "Minimum":
            return node.op
        end = find_end(self.graph, following)
        if end is None:
            return node.op
        members.append(following.name)
        return clipped(end)

    def _is_excluded(self, node: NodeDef) -> bool:
        return bool(ops_of(node) & self.excluded_ops or names_of(node) & self.excluded_nodes)

    def _only_reader(self, node: NodeDef) -> Optional[NodeDef]:
        if not self.graph.is_private(node.name):
            return None
        reader = self.graph.consumers(node.name)[0]
        if self._is_excluded(reader) or self.graph.control_inputs(reader):
            return None
        if self.contexts[reader.name] != self.contexts[node.name]:
            return None
        return reader

    def _summand(self, node: NodeDef, add: NodeDef, biased: str) -> Optional[str]:
        """The other operand of a residual addition, if the convolution can add it.

        The kernel adds in place, into the summand's memory (mkl_conv_ops.cc: "Summand cannot be
        forwarded" otherwise), so whatever else reads the summand, or its twin, must have run before.
        """
        graph = self.graph
        operands = [name for name in graph.data_inputs(add) if name != biased]
        if len(operands) != 1:
            return None
        summand = operands[0]
        producer = graph.producer(summand)
        if graph.constant(summand) is not None or graph.is_output(producer.name):
            return None
        if producer.op == "Placeholder" or _shares_memory(producer):  # memory that others may have a hand in
            return None
        rival = self._biased_convolution(producer)
        if rival is not None and self.rank[rival.name] > self.rank[node.name]:
            return None  # both operands are convolutions: the later one takes the addition
        for reader in self._readers(producer):
            if reader.name != add.name and not self._runs_before(reader.name, node):
                return None
        if self._twins is None:
            self._twins = Twins(graph)
        return None if self._twins.has(producer.name) else summand

    def _readers(self, producer: NodeDef) -> List[NodeDef]:
        """All that may read the memory of a node's INT8 result: its consumers, what a Pad among them may be
        fused into, and what reads the same memory in another shape.
        """
        readers: List[NodeDef] = []
        stack = [producer]
        while stack:
            for reader in self.graph.consumers(stack.pop().name):
                readers.append(reader)
                if _shares_memory(reader):
                    stack.append(reader)
        return readers

    def _biased_convolution(self, node: NodeDef) -> Optional[NodeDef]:
        if node.op != "BiasAdd" or not self.graph.is_private(node.name):
            return None
        source = self.graph.producer(node.input[0])
        if source.op not in LINEAR or not LINEAR[source.op].adds:
            return None
        return source if self.graph.is_private(source.name) and not self.refusal(source) else None

    def _runs_before(self, name: str, node: NodeDef) -> bool:
        if self.graph.nodes[name].op in NEXT_ITERATION:
            return False  # what a node reads of it is from the round before
        stack, seen = [node.name], {node.name}
        while stack:
            for tensor in self.graph.nodes[stack.pop()].input:
                source = tensors.node_of(tensor)
                if source == name:
                    return True
                if source not in seen and self.rank[source] > self.rank[name]:
                    seen.add(source)
                    stack.append(source)
        return False

    def _fused_pad(self, node: NodeDef) -> Tuple[str, Optional[Pads]]:
        graph = self.graph
        source = graph.data_inputs(node)[0]
        kind = LINEAR[node.op]
        if not kind.spatial:
            return source, None
        if attribute(node, "padding").s == b"EXPLICIT":
            top, bottom, left, right = attribute(node, "explicit_paddings").list.i[2:6]
            return source, (top, bottom, left, right)
        pad = graph.producer(source)
        if pad.op != "Pad" or attribute(node, "padding").s != b"VALID" or self._is_excluded(pad):
            return source, None
        paddings = graph.constant(graph.data_inputs(pad)[1])
        if paddings is None or paddings.shape != (4, 2) or np.any(paddings[[0, 3]]) or np.any(paddings < 0):
            return source, None
        if kind.padding is None or not self.capabilities.has_attr(*kind.padding):
            return source, None
        padded = graph.data_inputs(pad)[0]
        if self.contexts[pad.name] != context_of(graph, self.contexts, padded):
            return source, None  # the Pad belongs to a branch that its input does not belong to
        top, bottom, left, right = (int(size) for size in paddings[1:3].reshape(-1))
        return padded, (top, bottom, left, right)

"""Which nodes of a graph give results, where nobody says so.

A result is computed from what the graph is fed with, and nothing reads it but leftovers: losses,
gradients, metrics and updates of training, assertions, summaries, savers.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Set

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import dtypes

from intel_quantization.graph import tensors
from intel_quantization.graph.control_flow import FUNCTIONAL
from intel_quantization.graph.inferred_shapes import SHAPE_OPS
from intel_quantization.kinds.registry import LINEAR, WITHOUT_KERNEL
from intel_quantization.ops import registry

PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")
# Never a result. A Switch is a half of a branch, an Enter the entrance of a loop.
_IDLE = frozenset(
    ["Assert", "NoOp", "Const", "CheckNumerics", "Print", "PrintV2", "SaveV2", "Save", "SaveSlices", "RestoreV2"]
    + ["MergeV2Checkpoints", "MergeSummary", "WriteFile", "Enter", "Switch", "LoopCond", "NextIteration"]
    + [*PLACEHOLDERS]
)
# Of what a loop or a branch gives, such as its counter, much is read by nobody.
_EXITS = ("Exit", "RefExit")
_TRAINING_OP = re.compile(
    r"(Resource)?(Sparse)?Apply[A-Z]|(Assign|Scatter(Nd)?)(Add|Sub|Update|Variable)|Assign$|ResourceScatter"
    r"|(?!Conv).*Grad(V\d)?$|.*CrossEntropy|L2Loss$|InTopK|.*Summary(V2)?$"
)
_LOSS = re.compile(r".*CrossEntropy|L2Loss$|InTopK")
_TRAINING_SCOPE = re.compile(r"(^|/)(gradients(_\d+)?|[^/]*[cC]ross_?[eE]ntropy[^/]*)/")
# TensorFlow's own name for the branch around an Assert; nobody reads its result.
_ASSERTION = "AssertGuard"


def result_nodes(graph_def: graph_pb2.GraphDef, inputs: Sequence[str] = ()) -> List[str]:
    """The names of the nodes that give results, in graph order; none where there is nothing that looks like one.

    Args:
        graph_def: the graph.
        inputs: nodes or tensors that are fed, besides the placeholders.
    """
    finder = _Finder(graph_def, inputs)
    return finder.results(finder.training()) or finder.results(finder.updates())


class _Finder:
    def __init__(self, graph_def: graph_pb2.GraphDef, inputs: Sequence[str]) -> None:
        self.nodes: Dict[str, node_def_pb2.NodeDef] = {node.name: node for node in graph_def.node}
        self.readers: Dict[str, List[str]] = {name: [] for name in self.nodes}
        for node in graph_def.node:
            for name in node.input:
                # a control edge does not read the value: a result may well have one leaving it
                source = tensors.node_of(name)
                if not tensors.is_control(name) and source in self.readers:
                    self.readers[source].append(node.name)
        self.placeholders = [node.name for node in graph_def.node if node.op in PLACEHOLDERS]
        # a text with a default is the file name of a saver
        fed = [name for name in self.placeholders if not _has_default_text(self.nodes[name])]
        self.sources = fed + [tensors.node_of(name) for name in inputs]

    def results(self, training: Set[str]) -> List[str]:
        """Results, when the ``training`` nodes are left out."""
        checks = self._find_checks(training)
        fed = self._find_behind(self.sources)
        found = [name for name in self.nodes if name in fed and self._is_result(name, training | checks)]
        found = [name for name in found if _find_dtype(self.nodes[name]) != dtypes.string] or found
        proper = [name for name in found if not self._is_exit(self.nodes[name])]
        unread = [name for name in proper if not training.intersection(self.readers[name])]
        if any(_is_float(self.nodes[name]) for name in unread):
            return unread
        return proper or [name for name in found if _is_float(self.nodes[name])] or found

    def updates(self) -> Set[str]:
        """What writes, and gives no result even where there is nothing else."""
        return {name for name, node in self.nodes.items() if _TRAINING_OP.match(node.op) and not _LOSS.match(node.op)}

    def training(self) -> Set[str]:
        """What only training needs: losses, gradients and updates, what is computed from them, or from labels.

        Labels are placeholders that go into a loss, but into no convolution or matrix product.
        """
        seeds = [
            name for name, node in self.nodes.items() if _TRAINING_OP.match(node.op) or _TRAINING_SCOPE.search(name)
        ]
        losses = {name for name in seeds if _LOSS.match(self.nodes[name].op)}
        labels = []
        if losses:
            for name in self.placeholders:
                behind = self._find_behind([name])
                if behind & losses and not any(self.nodes[other].op in (*LINEAR, *WITHOUT_KERNEL) for other in behind):
                    labels.append(name)
        return self._find_behind(seeds + labels)

    def _is_result(self, name: str, leftovers: Set[str]) -> bool:
        node = self.nodes[name]
        if node.op in _IDLE or node.op in SHAPE_OPS or name in leftovers or self._is_branch_pivot(node):
            return False
        return all(self._is_idle(reader, leftovers) for reader in self.readers[name])

    def _is_idle(self, reader: str, leftovers: Set[str]) -> bool:
        return reader in leftovers or (self.nodes[reader].op in (*_IDLE, *SHAPE_OPS) and not self.readers[reader])

    def _find_checks(self, training: Set[str]) -> Set[str]:
        """Assertions, and what only they read: conditions, and what is known without a tensor's values."""
        by_value = self._find_behind(self.sources, lambda node: node.op not in SHAPE_OPS)
        found = {name for name, node in self.nodes.items() if node.op == "Assert" or _ASSERTION in name}
        stack = list(found)
        while stack:
            for item in self.nodes[stack.pop()].input:
                name = tensors.node_of(item)
                node = self.nodes.get(name)
                if node is None or name in found or node.op in PLACEHOLDERS:
                    continue
                condition = _is_bool(node) or node.op in SHAPE_OPS or name not in by_value
                if condition and all(reader in found or reader in training for reader in self.readers[name]):
                    found.add(name)
                    stack.append(name)
        return found

    def _find_behind(
        self, sources: Iterable[str], passes: Callable[[node_def_pb2.NodeDef], bool] = lambda node: True
    ) -> Set[str]:
        """The sources and all that is computed from them, not through nodes that do not ``pass``."""
        stack = [name for name in sources if name in self.nodes]
        reached: Set[str] = set()
        while stack:
            name = stack.pop()
            if name not in reached:
                reached.add(name)
                if passes(self.nodes[name]):
                    stack.extend(self.readers[name])
        return reached

    def _is_exit(self, node: node_def_pb2.NodeDef) -> bool:
        if node.op == "Identity" and node.input:
            node = self.nodes.get(tensors.node_of(node.input[0]), node)
        return node.op in (*_EXITS, *FUNCTIONAL)

    def _is_branch_pivot(self, node: node_def_pb2.NodeDef) -> bool:
        """Whether a node only marks a branch of a tf.cond (``cond/switch_t``, ``cond/pred_id``)."""
        if node.op != "Identity" or not node.input or not _is_bool(node) or self.readers[node.name]:
            return False
        source = self.nodes.get(tensors.node_of(node.input[0]))
        return source is not None and source.op in ("Switch", "Merge", "LogicalAnd", "LoopCond")


def _find_dtype(node: node_def_pb2.NodeDef) -> Optional[dtypes.DType]:
    number = registry.output_dtype(node)
    return dtypes.as_dtype(number) if number else None


def _is_bool(node: node_def_pb2.NodeDef) -> bool:
    return _find_dtype(node) == dtypes.bool


def _is_float(node: node_def_pb2.NodeDef) -> bool:
    dtype = _find_dtype(node)
    return dtype is not None and dtype.is_floating


def _has_default_text(node: node_def_pb2.NodeDef) -> bool:
    return node.op == "PlaceholderWithDefault" and _find_dtype(node) == dtypes.string

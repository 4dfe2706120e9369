"""Compute the constant part of a graph, within limits on the size of every result and on the time of all.

What a result's size depends on is not always in the graph: Fill makes four terabytes of one number. So such
ops wait until the values that they read are there, in a stage of their own.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Set

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.graph import tensors
from intel_quantization.graph.constants import constant_chain
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.session import run_graph
from intel_quantization.ops import registry
from intel_quantization.transforms.support.foldable_ops import Extent, effort, extent, extent_by_values, needs_values

_MOST_ELEMENTS = 2**27
"""Of one result: 512 MB of float32."""
_MOST_WORK = 2**35
"""Elements of all results, or multiplications: some ten seconds."""


def evaluate(graph: Graph, foldable: Dict[str, NodeDef], wanted: Sequence[str]) -> Dict[str, np.ndarray]:
    """The values of the wanted nodes that can be computed within the limits.

    Args:
        graph: left as it is.
        foldable: nodes of ops in FOLDABLE that depend on constants and each other, producers first.
        wanted: names of some of them.
    """
    return _Evaluation(graph, foldable, wanted).run()


class _Evaluation:
    def __init__(self, graph: Graph, foldable: Dict[str, NodeDef], wanted: Sequence[str]) -> None:
        self.graph = graph
        self.wanted = frozenset(wanted)
        self.waiting = dict(foldable)
        self.sources: Dict[str, List[str]] = {}
        self.readers: Dict[str, List[str]] = {}
        for node in foldable.values():
            read = [tensors.node_of(name) for name in graph.data_inputs(node)]
            self.sources[node.name] = [name for name in read if name in foldable]
            for name in self.sources[node.name]:
                self.readers.setdefault(name, []).append(node.name)
        self.values: Dict[str, np.ndarray] = {}
        self.extents: Dict[str, Extent] = {}
        self.impossible: Set[str] = set()
        self.work = 0

    def run(self) -> Dict[str, np.ndarray]:
        """Stage after stage, until nothing is left that can be computed."""
        while self.waiting:
            stage = self._next_stage()
            if not stage:
                break
            fetches = [name for name in stage if name in self.wanted or self._is_awaited(name)]
            if fetches:
                try:
                    values = run_graph(self._subgraph(stage), {}, [name + ":0" for name in fetches])
                except tf.errors.OpError:
                    break  # it need not matter: what cannot be computed may stand in a branch that is never taken
                for name, value in zip(fetches, values):
                    self.values[name] = value
                    self.extents[name] = (value.shape, value.size)
        return {name: value for name, value in self.values.items() if name in self.wanted}

    def _next_stage(self) -> Dict[str, NodeDef]:
        stage: Dict[str, NodeDef] = {}
        for name, node in list(self.waiting.items()):
            sources = self.sources[name]
            if any(source in self.impossible for source in sources):
                self._give_up(name)
            elif all(source in self.values or source in stage for source in sources):
                ahead = any(source in stage for source in sources)
                found = self._extent(node, ahead)
                if found is None:
                    if not ahead:  # else it waits for what is ahead of it to be computed
                        self._give_up(name)
                    continue
                self.extents[name] = found
                stage[name] = self.waiting.pop(name)
        return stage

    def _give_up(self, name: str) -> None:
        self.impossible.add(name)
        del self.waiting[name]

    def _extent(self, node: NodeDef, ahead: bool) -> Optional[Extent]:
        """How large a node's result is; None where that is too large, senseless, or not known yet."""
        steps = 1
        if needs_values(node.op):
            if ahead:
                return None
            values = [self._value(name) for name in self.graph.data_inputs(node)]
            found = extent_by_values(node.op, values)
            steps = 1 if found is None else effort(node.op, values)
        else:
            found = extent(node.op, [self._known_extent(name) for name in self.graph.data_inputs(node)])
        if found is None or found[1] > _MOST_ELEMENTS or self.work + found[1] * steps > _MOST_WORK:
            return None
        self.work += found[1] * steps
        return found

    def _value(self, tensor: str) -> np.ndarray:
        name = tensors.node_of(tensor)
        value = self.values.get(name)
        if value is None:
            value = self.graph.constant(tensor)
        assert value is not None  # it is a constant or was computed
        return value

    def _known_extent(self, tensor: str) -> Extent:
        name = tensors.node_of(tensor)
        if name in self.extents:
            return self.extents[name]
        proto = self._constant(tensor).attr["value"].tensor
        shape = tuple(dim.size for dim in proto.tensor_shape.dim)
        return shape, int(np.prod(shape, dtype=np.float64))

    def _constant(self, tensor: str) -> NodeDef:
        return constant_chain(self.graph.nodes, tensor)[-1][0]

    def _is_awaited(self, name: str) -> bool:
        return any(reader in self.waiting for reader in self.readers.get(name, ()))

    def _subgraph(self, stage: Dict[str, NodeDef]) -> graph_pb2.GraphDef:
        """A stage and the constants that it reads, without loops, branches and waiting."""
        result = graph_pb2.GraphDef()
        constants: Dict[str, NodeDef] = {}
        for node in stage.values():
            copy = _add_alone(result, node)
            for name in self.graph.data_inputs(node):
                source = tensors.node_of(name)
                if source not in stage:
                    constant = self._computed(source) if source in self.values else self._constant(name)
                    source = constant.name
                    constants[source] = constant
                copy.input.append(source)
        for constant in constants.values():
            _add_alone(result, constant)
        return result

    def _computed(self, name: str) -> NodeDef:
        node = NodeDef(name=name, op="Const")
        proto = tf.compat.v1.make_tensor_proto(
            self.values[name], tf.as_dtype(registry.output_dtype(self.graph.nodes[name]))
        )
        node.attr["dtype"].type = proto.dtype
        node.attr["value"].tensor.CopyFrom(proto)
        return node


def _add_alone(graph_def: graph_pb2.GraphDef, node: NodeDef) -> NodeDef:
    """Add a copy of a node without its inputs, and wherever TensorFlow likes."""
    copy = graph_def.node.add()
    copy.CopyFrom(node)
    copy.device = ""
    copy.attr.pop("_class", None)
    del copy.input[:]
    return copy

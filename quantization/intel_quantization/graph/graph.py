"""An indexed, editable view of a GraphDef.

Producers, consumers and constants are found in constant time, and a rewrite costs as much as the
edges that it touches. The nodes are the NodeDefs themselves; edit their inputs only through the
methods here, so that the index stays right. Attributes may be edited in place.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, MutableMapping, Optional, Sequence, Tuple
from weakref import WeakValueDictionary

import numpy as np
from tensorflow.core.framework.attr_value_pb2 import AttrValue
from tensorflow.core.framework.function_pb2 import FunctionDefLibrary
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import tensor_util

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import attr_value
from intel_quantization.graph.constants import constant_chain, constant_value
from intel_quantization.graph.frames import Frame, frame_of
from intel_quantization.graph.whole import check_inputs, drop_dangling_colocation, order_nodes

__all__ = ["Graph", "NodeDef"]


class Graph:
    """A GraphDef with an index.

    Args:
        graph_def: taken over by copy; the caller's is never changed.
        outputs: names of the nodes or tensors that must keep their names, dtypes and values.

    Raises:
        BadInputError: two nodes have one name, or an input names no node or is spelt wrong.
    """

    def __init__(self, graph_def: GraphDef, outputs: Iterable[str] = ()) -> None:
        self._meta = GraphDef()
        self._meta.versions.CopyFrom(graph_def.versions)
        self._meta.library.CopyFrom(graph_def.library)
        self.nodes: Dict[str, NodeDef] = {}
        # node name -> {consumer name: number of edges}; a dict keeps the order of insertion
        self._consumers: Dict[str, Dict[str, int]] = {}
        # the nodes hold the values already: what nobody looks at is not kept a second time
        self._constants: MutableMapping[str, np.ndarray] = WeakValueDictionary()
        self._frames: Dict[str, Frame] = {}
        self.outputs: Tuple[str, ...] = tuple(tensors.canonical(name) for name in outputs)
        self._output_nodes = {tensors.node_of(name) for name in self.outputs}
        for node in graph_def.node:
            if node.name in self.nodes:
                raise BadInputError("the graph has two nodes named '%s'" % node.name)
            copy = NodeDef()
            copy.CopyFrom(node)
            self._index(copy)
        for node in self.nodes.values():
            check_inputs(node, self.nodes)

    @property
    def library(self) -> FunctionDefLibrary:
        """The functions that nodes may call; may be edited in place."""
        return self._meta.library

    # -- reading -----------------------------------------------------------------------------

    def __contains__(self, name: str) -> bool:
        return name in self.nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def producer(self, tensor: str) -> NodeDef:
        """The node that makes a tensor.

        Raises:
            KeyError: it is not in the graph.
        """
        return self.nodes[tensors.node_of(tensor)]

    def data_inputs(self, node: NodeDef) -> List[str]:
        """The inputs that carry data, canonically spelt, in order."""
        return [tensors.canonical(name) for name in node.input if not tensors.is_control(name)]

    def control_inputs(self, node: NodeDef) -> List[str]:
        """The control inputs, with their ``^``."""
        return [name for name in node.input if tensors.is_control(name)]

    def consumers(self, node: str) -> List[NodeDef]:
        """The nodes that read any output of a node or wait for it, each once."""
        return [self.nodes[name] for name in self._consumers.get(node, {})]

    def readers(self, tensor: str) -> List[Tuple[NodeDef, int]]:
        """The data edges from one tensor: (consumer, index of its input)."""
        wanted = tensors.canonical(tensor)
        return [
            (node, index)
            for node in self.consumers(tensors.node_of(wanted))
            for index, name in enumerate(node.input)
            if not tensors.is_control(name) and tensors.canonical(name) == wanted
        ]

    def is_output(self, node: str) -> bool:
        """Whether a node is one of the graph's outputs, which must keep its name and value."""
        return node in self._output_nodes

    def is_private(self, node: str) -> bool:
        """Whether exactly one edge leaves a node and it is no output: it may be merged into its consumer."""
        return sum(self._consumers.get(node, {}).values()) == 1 and node not in self._output_nodes

    def constant(self, tensor: str) -> Optional[np.ndarray]:
        """The value of a tensor that is the same whenever there is one, or None. Do not write into it.

        That is a Const, also behind the nodes of a :func:`constant_chain`.
        """
        chain = constant_chain(self.nodes, tensor)
        if not chain:
            return None
        node = chain[-1][0]
        value = self._constants.get(node.name)
        if value is None:
            value = self._constants[node.name] = constant_value(node)
        return value

    def frame(self, tensor: str) -> Frame:
        """The names of the loops in which a tensor or the outputs of a node are read, outermost first."""
        return frame_of(self.nodes, tensors.node_of(tensor), self._frames)

    def anchor(self, tensor: str) -> Optional[str]:
        """The control input that makes a Const belong to the loop that a tensor belongs to; None outside of loops.

        What reads both runs then as often as the tensor is made. Name a tensor that it reads anyway.
        """
        return "^" + tensors.node_of(tensor) if self.frame(tensor) else None

    def topological(self) -> List[NodeDef]:
        """The nodes, producers first; the order is a function of the graph alone. Loops are cut at NextIteration."""
        return order_nodes(self.nodes, self._consumers)

    # -- writing -----------------------------------------------------------------------------

    def unique_name(self, base: str) -> str:
        """``base``, or with a number behind it where that name is taken."""
        name, number = base, 0
        while name in self.nodes:
            number += 1
            name = "%s_%d" % (base, number)
        return name

    def add(
        self, op: str, name: str, inputs: Sequence[str] = (), attrs: Optional[Dict[str, Any]] = None, device: str = ""
    ) -> NodeDef:
        """Add a node.

        Args:
            op: the op's name.
            name: must be free.
            inputs: data tensors, then control inputs.
            attrs: AttrValues, or plain values for :func:`attr_value`.
            device: as in the NodeDef.

        Raises:
            ValueError: the name is taken.
        """
        if name in self.nodes:
            raise ValueError("a node named '%s' exists" % name)
        node = NodeDef(name=name, op=op, device=device)
        node.input.extend(tensors.canonical(tensor) for tensor in inputs)
        for key, value in (attrs or {}).items():
            node.attr[key].CopyFrom(value if isinstance(value, AttrValue) else attr_value(value))
        self._index(node)
        return node

    def add_constant(
        self,
        name: str,
        value: np.ndarray,
        dtype: Optional[int] = None,
        beside: Optional[str] = None,
        waits: Sequence[str] = (),
    ) -> str:
        """Add a Const under a free name that starts with ``name``; returns the name it got.

        Args:
            name: wished name.
            value: any shape.
            dtype: a DataType number where numpy has none of its own (qint8, quint8, qint32);
                ``value`` then holds the plain integers.
            beside: a tensor that the readers of the constant read, too; in a loop the constant waits for it,
                unless ``waits`` says for what.
            waits: its control inputs; see :func:`intel_quantization.graph.waits.waits_of`.
        """
        name = self.unique_name(name)
        value = np.asarray(value)
        if dtype is None:
            proto = tensor_util.make_tensor_proto(value)
        else:
            proto = tensor_util.make_tensor_proto(value)
            proto.dtype = dtype
        node = NodeDef(name=name, op="Const")
        anchor = self.anchor(beside) if beside is not None and not waits else None
        node.input.extend([anchor] if anchor is not None else waits)
        node.attr["dtype"].type = proto.dtype
        node.attr["value"].tensor.CopyFrom(proto)
        self._index(node)
        return name

    def set_input(self, node: NodeDef, index: int, tensor: str) -> None:
        """Let one input of a node read another tensor."""
        self._unlink(node, node.input[index])
        node.input[index] = tensors.canonical(tensor)
        self._link(node, tensor)

    def set_inputs(self, node: NodeDef, inputs: Sequence[str]) -> None:
        """Replace all inputs of a node."""
        for name in node.input:
            self._unlink(node, name)
        del node.input[:]
        node.input.extend(tensors.canonical(name) for name in inputs)
        for name in node.input:
            self._link(node, name)

    def redirect(self, old: str, new: str) -> None:
        """Let every data reader of tensor ``old`` read ``new``; control edges are moved when the node is removed."""
        for node, index in self.readers(old):
            if node.name != tensors.node_of(new):
                self.set_input(node, index, new)

    def rename(self, old: str, new: str) -> None:
        """Give a node a free name; its consumers follow.

        Raises:
            ValueError: the name is taken, or the node is an output.
        """
        if new in self.nodes or old in self._output_nodes:
            raise ValueError("cannot rename '%s' to '%s'" % (old, new))
        node = self.nodes[old]
        for consumer in self.consumers(old):
            for index, name in enumerate(consumer.input):
                if tensors.node_of(name) == old:
                    consumer.input[index] = name.replace(old, new, 1)
        for name in node.input:
            self._unlink(node, name)
        self._consumers[new] = self._consumers.pop(old, {})
        del self.nodes[old]
        self._constants.pop(old, None)
        self._frames.pop(old, None)
        node.name = new
        self.nodes[new] = node
        for name in node.input:
            self._link(node, name)

    def remove(self, name: str) -> None:
        """Remove a node that nothing reads.

        Raises:
            ValueError: it has consumers or is an output.
        """
        if self._consumers.get(name) or name in self._output_nodes:
            raise ValueError("node '%s' is still in use" % name)
        node = self.nodes.pop(name)
        self._constants.pop(name, None)
        self._frames.pop(name, None)
        self._consumers.pop(name, None)
        for source in node.input:
            self._unlink(node, source)

    def sweep(self, names: Iterable[str]) -> None:
        """Remove those of some nodes that nothing reads any longer, and with them what only they read."""
        stack = list(names)
        while stack:
            name = stack.pop()
            if name in self.nodes and not self._consumers.get(name) and name not in self._output_nodes:
                sources = [tensors.node_of(source) for source in self.nodes[name].input]
                self.remove(name)
                stack.extend(sources)

    def bypass(self, name: str) -> None:
        """Remove a node whose output 0 equals its first input: readers read that input instead.

        Control edges to and from the node move to its producer.

        Raises:
            ValueError: it is an output, or readers use another output of it.
        """
        node = self.nodes[name]
        source = node.input[0]
        if name in self._output_nodes:
            raise ValueError("node '%s' is an output" % name)
        spelt = (name, name + ":0", "^" + name)
        for consumer, edges in self._consumers.get(name, {}).items():
            if sum(item in spelt for item in self.nodes[consumer].input) != edges:
                raise ValueError("node '%s' has more than one output" % name)
        waits = self.control_inputs(node)
        if not waits:
            self._replace_plain(name, source)
        for consumer in self.consumers(name):
            inputs: List[str] = []
            for tensor in consumer.input:
                if tensors.node_of(tensor) != name:
                    inputs.append(tensor)
                elif tensors.is_control(tensor):
                    inputs.append("^" + tensors.node_of(source))
                else:
                    inputs.append(source)
            data = [tensor for tensor in inputs if not tensors.is_control(tensor)]
            control = [tensor for tensor in inputs if tensors.is_control(tensor)] + waits
            self.set_inputs(consumer, data + list(dict.fromkeys(control)))
        self.remove(name)

    def _replace_plain(self, name: str, source: str) -> None:
        """Replace output 0 of a node in consumers that read nothing else of it; fast for those with many inputs."""
        plain = (name, name + ":0")
        for consumer_name, edges in list(self._consumers.get(name, {}).items()):
            consumer = self.nodes[consumer_name]
            places = [place for place, item in enumerate(consumer.input) if item in plain]
            if len(places) == edges:
                for place in places:
                    self.set_input(consumer, place, source)

    def prune(self) -> int:
        """Remove all that the outputs do not need; returns how many nodes went. Without outputs it does nothing."""
        if not self.outputs:
            return 0
        needed = set()
        stack = sorted(self._output_nodes)
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(tensors.node_of(source) for source in self.nodes[name].input)
        dead = [name for name in self.nodes if name not in needed]
        for name in dead:
            node = self.nodes.pop(name)
            self._constants.pop(name, None)
            self._frames.pop(name, None)
            self._consumers.pop(name, None)
            for source in node.input:
                self._unlink(node, source)
        return len(dead)

    def to_graph_def(self) -> GraphDef:
        """A GraphDef with the nodes in topological order, and the versions and library of the original."""
        result = GraphDef()
        result.CopyFrom(self._meta)
        result.node.extend(self.topological())
        for node in result.node:
            drop_dangling_colocation(node, self.nodes)
        return result

    # -- the index ---------------------------------------------------------------------------

    def _index(self, node: NodeDef) -> None:
        self.nodes[node.name] = node
        for name in node.input:
            self._link(node, name)

    def _link(self, node: NodeDef, tensor: str) -> None:
        edges = self._consumers.setdefault(tensors.node_of(tensor), {})
        edges[node.name] = edges.get(node.name, 0) + 1

    def _unlink(self, node: NodeDef, tensor: str) -> None:
        edges = self._consumers.get(tensors.node_of(tensor), {})
        count = edges.get(node.name, 0) - 1
        if count > 0:
            edges[node.name] = count
        else:
            edges.pop(node.name, None)

"""Replace a call by the body of its function."""

from __future__ import annotations

from typing import Dict, List

from tensorflow.core.framework import function_pb2
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
Functions = Dict[str, function_pb2.FunctionDef]


def attributes_given(node: NodeDef) -> Dict[str, AttrValue]:
    """What a call gives for the attributes of its function."""
    return dict(attribute(node, "f").func.attr if node.op in CALLS else node.attr)


def inline_call(
    graph: Graph, node: NodeDef, function: function_pb2.FunctionDef, functions: Functions, inside: bool
) -> List[NodeDef]:
    """Replace a call, and give the nodes that came for it.

    Args:
        graph: edited in place.
        node: a PartitionedCall, a StatefulPartitionedCall, or a node whose op is the function's name.
        function: what it calls.
        functions: all of the graph, by name.
        inside: whether the call is in a loop or a branch.
    """
    return _Inlining(graph, node, function, functions).run(inside)


class _Inlining:
    def __init__(self, graph: Graph, node: NodeDef, function: function_pb2.FunctionDef, functions: Functions) -> None:
        self.graph = graph
        self.node = node
        self.function = function
        self.functions = functions
        self.given = attributes_given(node)
        self.arguments = dict(zip((arg.name for arg in function.signature.input_arg), graph.data_inputs(node)))
        self.bodies = {body.name: body for body in function.node_def}
        self.names: Dict[str, str] = {}

    def run(self, inside: bool) -> List[NodeDef]:
        """Add the body, and let it take the place of the call."""
        waits = self._waits(inside)
        added = []
        for body in self.function.node_def:
            name = self.graph.unique_name("%s/%s" % (self.node.name, body.name))
            self.names[body.name] = name
            attrs = {key: self._attribute(body.attr[key]) for key in body.attr if key != "_class"}  # colocation
            added.append(self.graph.add(body.op, name, (), attrs, body.device or self.node.device))
        for body, node in zip(self.function.node_def, added):
            self._connect(body, node, waits)
        self._replace(waits)
        return added

    def _attribute(self, value: AttrValue) -> AttrValue:
        return self.given[value.placeholder] if value.placeholder else value

    def _waits(self, inside: bool) -> List[str]:
        """What the body waits for; in a loop or a branch also for all inputs of the call, as the call did."""
        waits = self.graph.control_inputs(self.node)
        if inside:
            for arg in self.function.signature.input_arg:
                # a control edge leaves a Switch either way, but one of its outputs only in its branch
                name = self.graph.unique_name("%s/%s" % (self.node.name, arg.name))
                dtype = arg.type or self.given[arg.type_attr].type
                self.graph.add("Identity", name, [self.arguments[arg.name]], {"T": dtype_attr(dtype)})
                self.arguments[arg.name] = name
                waits.append("^" + name)
        return waits

    def _connect(self, body: NodeDef, node: NodeDef, waits: List[str]) -> None:
        data, control = [], []
        for name in body.input:
            if not tensors.is_control(name):
                data.append(self._tensor(name))
            elif name[1:] in self.bodies:
                control.append("^" + self.names[name[1:]])
            else:
                control.append("^" + tensors.node_of(self.arguments[name[1:]]))
        if not any(name.lstrip("^").partition(":")[0] in self.bodies for name in body.input):
            control += waits
        self.graph.set_inputs(node, data + list(dict.fromkeys(control)))

    def _tensor(self, reference: str) -> str:
        """The tensor of the graph for ``argument``, ``node:output:0`` or ``node:output``."""
        name, _, rest = reference.partition(":")
        if name not in self.bodies:
            return self.arguments[name]
        output, _, index = rest.partition(":")
        position = self._position(self.bodies[name], output) + int(index or 0)
        return tensors.canonical("%s:%d" % (self.names[name], position))

    def _position(self, body: NodeDef, output: str) -> int:
        """The number of tensors ahead of an output argument of a node."""
        called = self.functions.get(body.op)
        definition = registry.op_def(body.op) if called is None else called.signature
        assert definition is not None  # a condition of inlining
        position = 0
        for arg in definition.output_arg:
            if arg.name == output:
                break
            if arg.number_attr:
                position += self._attribute(body.attr[arg.number_attr]).i
            elif arg.type_list_attr:
                position += len(self._attribute(body.attr[arg.type_list_attr]).list.type)
            else:
                position += 1
        return position

    def _replace(self, waits: List[str]) -> None:
        graph, node, signature = self.graph, self.node, self.function.signature
        results = [self._tensor(self.function.ret[arg.name]) for arg in signature.output_arg]
        done = ["^" + tensors.node_of(name) for name in results]
        done += ["^" + self.names[name] for name in self.function.control_ret.values()]
        for index, result in enumerate(results):
            graph.redirect("%s:%d" % (node.name, index), result)
        for consumer in graph.consumers(node.name):  # which wait for it
            control = [name for name in graph.control_inputs(consumer) if name != "^" + node.name]
            graph.set_inputs(consumer, graph.data_inputs(consumer) + list(dict.fromkeys(control + (done or waits))))
        if not graph.is_output(node.name):
            graph.remove(node.name)
            return
        types = [arg.type or self.given[arg.type_attr].type for arg in signature.output_arg]
        node.op = "Identity" if len(results) == 1 else "IdentityN"
        node.attr.clear()
        if len(results) == 1:
            node.attr["T"].type = types[0]
        else:
            node.attr["T"].list.type.extend(types)
        graph.set_inputs(node, results)

"""Put the bodies of called functions into the graph.

PartitionedCall and StatefulPartitionedCall, which graphs frozen from TensorFlow 2 have, nodes whose op is the
name of a function (TensorFlow 1's Defun), and If and Case with a constant predicate are replaced by the nodes of
the function, named ``call/node``. In a function ``node:output:2`` is the third tensor of the output argument
``output`` (function.proto). The bodies of While, and of an If that has to be decided in a run, stay functions.

Conditions: the function is in the graph's library and does not call itself; nothing in it has an effect that its
results do not show; its arguments are single tensors, and all its attributes are given.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Tuple

from tensorflow.core.framework import function_pb2

from intel_quantization.graph.control_flow import contexts
from intel_quantization.graph.function_library import functions_of
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry
from intel_quantization.transforms.rule import Refusal, WholeGraph
from intel_quantization.transforms.support.constant_if import become_call
from intel_quantization.transforms.support.effects import Effects
from intel_quantization.transforms.support.function_body import CALLS, Functions, attributes_given, inline_call


def _inline(graph: Graph) -> int:
    functions = {function.signature.name: function for function in graph.library.function}
    if not functions:
        return 0
    known, effects = contexts(graph), Effects(graph)
    # nodes to look at, each with the functions that it comes from, and whether it is in a loop or a branch
    waiting: List[Tuple[NodeDef, Tuple[str, ...], bool]] = []
    waiting += [(node, (), bool(known[node.name])) for node in graph.nodes.values()]
    count = 0
    for node, within, inside in waiting:
        become_call(graph, node)
        function = _called(node, functions)
        if function is None or function.signature.name in within or _refusal(node, function, functions, effects):
            continue
        added = inline_call(graph, node, function, functions, inside)
        waiting += [(item, (*within, function.signature.name), inside) for item in added]  # and the loop goes on
        count += 1
    if count:
        _drop_unused(graph)
    return count


def _refusals(graph: Graph) -> Iterator[Refusal]:
    """Of calls that stay; a call of itself, further down, has no reason of its own."""
    functions = {function.signature.name: function for function in graph.library.function}
    effects = Effects(graph)
    for node in graph.nodes.values():
        function = _called(node, functions)
        reason = "" if function is None else _refusal(node, function, functions, effects)
        if node.op in CALLS and function is None:
            reason = "'%s' calls no function of the graph" % node.name
        if reason:
            yield Refusal(node.name, reason)


def _called(node: NodeDef, functions: Functions) -> Optional[function_pb2.FunctionDef]:
    return functions.get(node.attr["f"].func.name if node.op in CALLS else node.op)


def _refusal(node: NodeDef, function: function_pb2.FunctionDef, functions: Functions, effects: Effects) -> str:
    name = function.signature.name
    if any(arg.number_attr or arg.type_list_attr for arg in function.signature.input_arg):
        return "function '%s' takes lists" % name
    bodies = {body.name: body for body in function.node_def}
    if any(effects.of(bodies[waited]) for waited in function.control_ret.values()):
        return "function '%s' has effects" % name
    given = attributes_given(node)
    for body in function.node_def:
        if body.op not in functions and registry.op_def(body.op) is None:
            return "this TensorFlow does not know %s in function '%s'" % (body.op, name)
        if any(body.attr[key].placeholder not in ("", *given) for key in body.attr):
            return "an attribute of function '%s' is not given" % name
    return ""


def _drop_unused(graph: Graph) -> None:
    """Take the functions that nothing calls out of the library; their constants may be as large as the graph."""
    functions = {function.signature.name: function for function in graph.library.function}
    used: Dict[str, None] = {}
    stack = [name for node in graph.nodes.values() for name in (node.op, *functions_of(node))]
    while stack:
        name = stack.pop()
        if name in functions and name not in used:
            used[name] = None
            for body in functions[name].node_def:
                stack += [body.op, *functions_of(body)]
            stack += [item.gradient_func for item in graph.library.gradient if item.function_name == name]
    for number in reversed(range(len(graph.library.function))):
        if graph.library.function[number].signature.name not in used:
            del graph.library.function[number]
    for number in reversed(range(len(graph.library.gradient))):
        if graph.library.gradient[number].function_name not in used:
            del graph.library.gradient[number]


inline_functions = WholeGraph("inline_functions", _inline, _refusals)

"""The functions of a graph: which ones are called, and how large the graph is with all of them written out."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Set

from tensorflow.core.framework import function_pb2, node_def_pb2

from intel_quantization.errors import BadInputError

_MOST_NODES = 500_000
"""Of a graph with every call written out; ten times what the largest networks have."""


def functions_of(node: node_def_pb2.NodeDef) -> Iterator[str]:
    """The functions that a node has as attributes."""
    for key in node.attr:
        value = node.attr[key]
        if value.HasField("func"):
            yield value.func.name
        for function in value.list.func:
            yield function.name


def calls_of(node: node_def_pb2.NodeDef, known: Any) -> List[str]:
    """The functions among the ``known`` that a node calls: its attributes', or the one that its op names."""
    return [name for name in (node.op, *functions_of(node)) if name in known]


def reached(
    nodes: Iterable[node_def_pb2.NodeDef], library: function_pb2.FunctionDefLibrary
) -> Dict[str, function_pb2.FunctionDef]:
    """The functions that nodes call, and those that these call, by name."""
    known = {function.signature.name: function for function in library.function}
    gradients: Dict[str, List[str]] = {}
    for gradient in library.gradient:
        gradients.setdefault(gradient.function_name, []).append(gradient.gradient_func)
    found: Dict[str, function_pb2.FunctionDef] = {}
    stack = [name for node in nodes for name in calls_of(node, known)]
    while stack:
        name = stack.pop()
        if name in known and name not in found:
            found[name] = known[name]
            stack += gradients.get(name, ())
            for node in known[name].node_def:
                stack += calls_of(node, known)
    return found


def check_library(library: function_pb2.FunctionDefLibrary, nodes: Iterable[node_def_pb2.NodeDef], where: str) -> None:
    """Refuse functions that call themselves, or whose calls written out are too many: TensorFlow writes them out.

    Args:
        library: of a graph.
        nodes: that call them.
        where: the graph's name in the error.

    Raises:
        BadInputError: there are such.
    """
    if not library.function:
        return
    known: Dict[str, function_pb2.FunctionDef] = {}
    for function in library.function:
        name = function.signature.name
        if name in known:
            raise BadInputError("%s has two functions named '%s'" % (where, name), "write the graph anew")
        known[name] = function
    sizes: Dict[str, int] = {}
    for name in known:
        _measure(name, known, sizes, where)
    total = 0
    for node in nodes:
        total += 1 + sum(sizes[name] for name in calls_of(node, known))
    _check_total(total, where)


def _measure(root: str, known: Dict[str, function_pb2.FunctionDef], sizes: Dict[str, int], where: str) -> None:
    """Depth first, without recursion of our own: libraries may be deep."""
    stack = [root]
    open_names: Set[str] = set()
    while stack:
        name = stack[-1]
        if name in sizes:
            stack.pop()
            continue
        calls = [called for node in known[name].node_def for called in calls_of(node, known)]
        missing = [called for called in dict.fromkeys(calls) if called not in sizes]
        if name in open_names and not missing:
            sizes[name] = len(known[name].node_def) + sum(sizes[called] for called in calls)
            _check_total(sizes[name], where)
            open_names.discard(name)
            stack.pop()
            continue
        open_names.add(name)
        again = [called for called in missing if called in open_names]
        if again:
            raise BadInputError(
                "the function '%s' of %s calls itself" % (again[0], where),
                "write the recursion as a while loop; TensorFlow crashes on such functions",
            )
        stack += missing


def _check_total(total: int, where: str) -> None:
    if total > _MOST_NODES:
        raise BadInputError(
            "%s has over %d nodes when its function calls are written out" % (where, _MOST_NODES),
            "call functions less often, or split the model",
        )

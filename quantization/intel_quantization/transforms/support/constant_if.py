"""Make a call of an If or Case whose predicate is a constant."""

from __future__ import annotations

from intel_quantization.graph.graph import Graph, NodeDef

_IF = {"If": "StatefulPartitionedCall", "StatelessIf": "PartitionedCall"}
_CASE = {"Case": "StatefulPartitionedCall", "StatelessCase": "PartitionedCall"}


def become_call(graph: Graph, node: NodeDef) -> bool:
    """Turn an If or Case with a constant predicate into a call of the branch that it takes.

    The number of a branch that Case does not have means the last (functional_ops.cc).

    Returns:
        Whether the node is a call now.
    """
    if node.op not in _IF and node.op not in _CASE:
        return False
    inputs = graph.data_inputs(node)
    value = graph.constant(inputs[0])
    if value is None or value.size != 1 or value.dtype.kind not in "biuf":
        return False
    if node.op in _IF:
        function = node.attr["then_branch" if value.reshape(-1)[0] else "else_branch"].func
    else:
        branches = node.attr["branches"].list.func
        number = int(value.reshape(-1)[0])
        function = branches[number if 0 <= number < len(branches) else len(branches) - 1]
    node.attr["f"].func.CopyFrom(function)
    for key in ("then_branch", "else_branch", "branches", "Tcond", "output_shapes"):
        if key in node.attr:
            del node.attr[key]
    predicate = graph.producer(inputs[0]).name
    node.op = {**_IF, **_CASE}[node.op]
    graph.set_inputs(node, inputs[1:] + graph.control_inputs(node))
    graph.sweep([predicate])
    return True

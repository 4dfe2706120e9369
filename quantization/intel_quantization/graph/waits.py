"""What a constant of a loop or a branch waits for, so that it is there when, and only when, it is to be read.

A node runs if all that it reads is there. In a branch that is not taken, nothing is; and in the last round
of a loop, when its condition fails, neither is what the body computes. A constant is brought in by Switch,
or waits for a node of the branch. Were it put in the place of another one without that, its readers might
run where they must not.

A constant inside a loop costs about a microsecond a round. One that comes in through Enter costs less, but
Enter has no kernel for INT8, and oneDNN reorders weights once and for all only if they are a Const.
"""

from __future__ import annotations

from typing import Dict, Iterable, List

from tensorflow.core.framework import types_pb2

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import dtype_attr
from intel_quantization.graph.constants import constant_chain
from intel_quantization.graph.frames import ENTER, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef


def waits_of(graph: Graph, constants: Iterable[str]) -> List[str]:
    """The control inputs with which a new Const is there exactly when some constant tensors are.

    Args:
        graph: for a constant that comes through a Switch, a node that tells the branch is added to it.
        constants: tensors of one loop; those that are no constants do not matter.

    Returns:
        Control inputs with their ``^``. None if nothing is waited for, which in a loop happens when all the
        constants are invariants (they come through Enter): see ``beside`` of :meth:`Graph.add_constant`.
    """
    waits: Dict[str, None] = {}
    for tensor in constants:
        for node, index in constant_chain(graph.nodes, tensor):
            if node.op in ENTER:
                break  # what comes before is outside of the loop
            if node.op in SWITCH:
                waits["^" + pivot_of(graph, node, index)] = None
            waits.update(dict.fromkeys(graph.control_inputs(node)))
    return list(waits)


def pivot_of(graph: Graph, switch: NodeDef, index: int) -> str:
    """A node that runs if an output of a Switch is there; control edges leave the Switch itself either way."""
    condition = tensors.canonical(switch.input[1])
    stem = condition.replace(":", "_") + "/branch"
    name = "%s/%s" % (stem, "true" if index else "false")
    known = graph.nodes.get(name)
    if known is not None and known.op == "Identity":
        source = graph.producer(known.input[0])
        if source.op == "Switch" and list(source.input) == [condition, condition]:
            return name
    boolean = dtype_attr(types_pb2.DT_BOOL)
    both = graph.add("Switch", graph.unique_name(stem), [condition, condition], {"T": boolean}).name
    chosen = tensors.canonical("%s:%d" % (both, index))
    return graph.add("Identity", graph.unique_name(name), [chosen], {"T": boolean}).name

"""Take constants out of the variables of a loop that hands them on unchanged from round to round.

::

    Merge(Enter(w), NextIteration(Identity(Switch(Merge)[1])))  ->  w, in each round

So a while loop of TensorFlow 2, whose body is a function, brings the weights of a recurrent layer in when it is frozen:
as variables, like its state. As constants they are folded, and have INT8 kernels. Conditions: float32 with at least one
dimension; nothing but Identity on the way round.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.waits import pivot_of


def fold_loop_invariants(graph: Graph) -> int:
    """Let what a round reads of such a variable be a Const; returns of how many variables."""
    return sum(_fold(graph, node) for node in list(graph.nodes.values()) if node.op in MERGE)


def _fold(graph: Graph, merge: NodeDef) -> bool:
    found = _cycle(graph, merge)
    if found is None:
        return False
    enter, switch, cycle = found
    value = graph.constant(graph.data_inputs(enter)[0])
    if value is None or not value.ndim:
        return False
    names = {node.name for node in cycle}
    given = [switch.name + ":1", *(node.name for node in cycle if node.op == "Identity")]
    readers = [(reader, index) for name in given for reader, index in graph.readers(name) if reader.name not in names]
    if not readers:
        return False
    constant = graph.add_constant(merge.name + "/value", value, waits=["^" + pivot_of(graph, switch, 1)])
    for reader, index in readers:
        graph.set_input(reader, index, constant)
    _drop(graph, enter, merge, cycle)
    return True


def _cycle(graph: Graph, merge: NodeDef) -> Optional[Tuple[NodeDef, NodeDef, List[NodeDef]]]:
    """What brings a variable in, what brings it into a round, and all nodes on its way round; None: it may change."""
    sources = [graph.producer(name) for name in graph.data_inputs(merge)]
    if len(sources) != 2 or attribute(merge, "T").type != DT_FLOAT:
        return None
    enter, again = sources if sources[0].op in ENTER else sources[::-1]
    if enter.op not in ENTER or again.op not in NEXT_ITERATION:
        return None
    cycle = [merge, again]
    tensor = graph.data_inputs(again)[0]
    while graph.producer(tensor).op == "Identity":
        cycle.append(graph.producer(tensor))
        tensor = graph.data_inputs(cycle[-1])[0]
    name, index = tensors.split(tensor)
    switch = graph.nodes[name]
    if switch.op not in SWITCH or index != 1 or graph.data_inputs(switch)[0] != merge.name:
        return None
    if graph.producer(switch.input[1]).op != "LoopCond":
        return None
    return enter, switch, [*cycle, switch]


def _drop(graph: Graph, enter: NodeDef, merge: NodeDef, cycle: List[NodeDef]) -> None:
    """Remove a variable that nothing reads any longer."""
    names = {node.name for node in cycle}
    leaving = [reader for node in cycle for reader in graph.consumers(node.name) if reader.name not in names]
    if any(reader.op not in EXIT or graph.consumers(reader.name) or graph.is_output(reader.name) for reader in leaving):
        return
    for name in {reader.name for reader in leaving}:
        graph.remove(name)
    graph.set_inputs(merge, [enter.name])
    graph.sweep([node.name for node in cycle if node.op in NEXT_ITERATION])

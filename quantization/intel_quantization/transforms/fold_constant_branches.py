"""Take the branch of a Switch/Merge conditional whose predicate is a constant, and drop the other.

TensorFlow 1 writes ``tf.cond(p, f, g)`` as Switch nodes, whose output 1 (0) lives where ``p`` is true (false), and
Merge nodes, which give the input that lives. With a constant ``p`` it is known what never lives: the other
output of the Switch and all that depends on it, up to a Merge with another living input. Then
``Switch(x, p)`` is ``x``, and ``Merge`` its only living input. (control_flow_ops.cc; executor.cc on dead tensors)
"""

from __future__ import annotations

from typing import Dict, List, Optional, Set

import numpy as np

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.take_place import take_place

_SWITCH = ("Switch", "RefSwitch")
_MERGE = ("Merge", "RefMerge")
_BACK_EDGE = ("NextIteration", "RefNextIteration")


def fold_constant_branches(graph: Graph) -> int:
    """Decide every Switch with a constant predicate; returns how many nodes that took."""
    decided = {
        node.name: taken for node in graph.nodes.values() for taken in [_taken(graph, node)] if taken is not None
    }
    if not decided:
        return 0
    dead = _dead_tensors(graph, decided)
    count = 0
    for node in list(graph.nodes.values()):
        if node.name in dead:
            continue
        if node.op in _MERGE:
            count += _fold_merge(graph, node, dead)
        elif node.name in decided and not graph.is_output(node.name):
            _fold_switch(graph, node, decided[node.name])
            count += 1
    return count


def _taken(graph: Graph, node: NodeDef) -> Optional[int]:
    """The output of a Switch that lives, where that is known."""
    if node.op not in _SWITCH:
        return None
    predicate = graph.constant(node.input[1])
    return int(bool(predicate)) if predicate is not None and predicate.size == 1 else None


def _dead_tensors(graph: Graph, decided: Dict[str, int]) -> Set[str]:
    """Tensors that never live; a node's name for all of its outputs."""
    dead: Set[str] = set()
    for node in graph.topological():
        if node.op in _MERGE:
            inputs = [name for name in graph.data_inputs(node) if graph.producer(name).op not in _BACK_EDGE]
            is_dead = all(_is_dead(name, dead) for name in inputs)
        else:
            is_dead = any(_is_dead(name, dead) for name in node.input)
        if is_dead:
            dead.add(node.name)
        elif node.name in decided:
            dead.add("%s:%d" % (node.name, 1 - decided[node.name]))
    return dead


def _is_dead(tensor: str, dead: Set[str]) -> bool:
    if tensors.node_of(tensor) in dead:
        return True
    if tensors.is_control(tensor):
        return False
    return "%s:%d" % tensors.split(tensor) in dead


def _fold_switch(graph: Graph, node: NodeDef, taken: int) -> None:
    """Let what reads the living output read the input; what reads the other is dead, and goes with strip_unused."""
    source = graph.data_inputs(node)[0]
    waits = graph.control_inputs(node)
    for consumer in graph.consumers(node.name):
        data: List[str] = []
        control: List[str] = []
        for name in consumer.input:
            if name == "^" + node.name:
                control += ["^" + tensors.node_of(source)] + waits
            elif tensors.is_control(name):
                control.append(name)
            elif tensors.split(name) == (node.name, taken):
                data.append(source)
                control += waits
            else:
                data.append(name)
        graph.set_inputs(consumer, data + list(dict.fromkeys(control)))


def _fold_merge(graph: Graph, node: NodeDef, dead: Set[str]) -> bool:
    """Replace a Merge that has one living input left."""
    inputs = graph.data_inputs(node)
    living = [place for place, name in enumerate(inputs) if not _is_dead(name, dead)]
    if len(living) != 1 or len(inputs) == 1 or any(graph.producer(name).op in _BACK_EDGE for name in inputs):
        return False
    if graph.readers(node.name + ":1"):
        index = graph.add_constant(node.name + "/value_index", np.int32(living[0]), beside=inputs[living[0]])
        graph.redirect(node.name + ":1", index)
    if node.name + ":1" in graph.outputs:
        return False
    graph.set_inputs(node, [inputs[living[0]]] + graph.control_inputs(node))  # the dead must not be waited for
    take_place(graph, node, inputs[living[0]])
    return True

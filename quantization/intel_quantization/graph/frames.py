"""The while loops (of TensorFlow 1: Enter, Merge, Switch, NextIteration, Exit) that a node runs in.

A loop's nodes form a *frame*, and TensorFlow refuses a node whose inputs come from different frames. So a
node without inputs, such as a Const, has to wait for a node of the frame that it is to serve.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

from tensorflow.core.framework.node_def_pb2 import NodeDef

from intel_quantization.graph import tensors

# names of the loops around a tensor, outermost first
Frame = Tuple[str, ...]

ENTER, EXIT = ("Enter", "RefEnter"), ("Exit", "RefExit")
SWITCH, MERGE = ("Switch", "RefSwitch"), ("Merge", "RefMerge")
# Their edges close a loop; without these the graph has no cycle.
NEXT_ITERATION = ("NextIteration", "RefNextIteration")


def frame_of(nodes: Dict[str, NodeDef], name: str, known: Dict[str, Frame]) -> Frame:
    """The frame in which what a node gives is read: that of its inputs, but for Enter and Exit.

    Args:
        nodes: all of the graph, by name.
        name: the node's.
        known: frames found before; more are added, so that asking for all nodes takes linear time.
    """
    path: List[NodeDef] = []
    while name not in known:
        node = nodes[name]
        source = _find_source(nodes, node)
        path.append(node)
        if not source:
            known[name] = ()
            path.pop()
            break
        name = source
    frame = known[name]
    for node in reversed(path):
        if node.op in ENTER:
            frame = (*frame, node.attr["frame_name"].s.decode())
        elif node.op in EXIT:
            frame = frame[:-1]
        known[node.name] = frame
    return frame


def _find_source(nodes: Dict[str, NodeDef], node: NodeDef) -> str:
    """Any node that the node reads or waits for, except along the edge that closes a loop."""
    for tensor in node.input:
        source = tensors.node_of(tensor)
        if nodes[source].op not in NEXT_ITERATION:
            return source
    return ""

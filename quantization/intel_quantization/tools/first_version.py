"""What intel-quantization 1.1's ``summarize_graph.py`` prints, letter for letter: programs scrape it.

It looks at every Placeholder, at what nobody reads, and at nothing else. The double blanks, the blank at the end of a
heading and the comma after the last op are its own.
"""

from __future__ import annotations

from collections import Counter
from typing import List

from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2

# Its list has no other; Placeholders are results where nobody reads them, since it looked for "placeholder".
_NO_RESULTS = ("Const", "Assign", "NoOp", "placeholder")


def lines(graph_def: graph_pb2.GraphDef) -> List[str]:
    """The text for a graph, as lines."""
    placeholders = [node for node in graph_def.node if node.op == "Placeholder"]
    text = ["No input spotted."]
    if placeholders:
        text = ["Found  %d  possible inputs: " % len(placeholders), *map(_tell_placeholder, placeholders)]
    read = {name.split(":")[0].lstrip("^") for node in graph_def.node for name in node.input}
    results = [node for node in graph_def.node if node.name not in read and node.op not in _NO_RESULTS]
    if results:
        text.append("Found  %d  possible outputs: " % len(results))
        text += ["(name=%s, op=%s)" % (node.name, node.op) for node in results]
    else:
        text.append("No outputs spotted.")
    counts = Counter(node.op for node in graph_def.node)
    for function in graph_def.library.function:  # on which 1.1 failed
        counts.update(node.op for node in function.node_def)
    ops = sorted(counts.items(), key=lambda item: -item[1])
    return [*text, "Op types used: ", "".join("%d  %s ," % (count, op) for op, count in ops)]


def _tell_placeholder(node: node_def_pb2.NodeDef) -> str:
    number = node.attr["dtype"].type if "dtype" in node.attr else 0
    # as TensorFlow's C++ spells it: float, double, half
    name = types_pb2.DataType.Name(number)[len("DT_") :].lower() if number else "INVALID"
    shape = "None"
    if "shape" in node.attr:
        shape = str([dim.size for dim in node.attr["shape"].shape.dim])
    return "(name=%s, type=%s(%d), shape=%s)" % (node.name, name, number, shape)

"""Write every padding with zeros as a plain Pad, and bypass those that pad nothing.

``PadV2(x, p, 0) == Pad(x, p)`` and ``Pad(x, 0) == x``; a Pad is what the passes for convolutions look for.
Conditions: constant paddings and value.
"""

from __future__ import annotations

import numpy as np

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.support.linear import roots


def drop_zero_padding(graph: Graph) -> int:
    """Simplify every Pad and PadV2 that can be; returns how many."""
    count = 0
    for node in roots(graph, ("Pad", "PadV2")):
        inputs = graph.data_inputs(node)
        paddings = graph.constant(inputs[1])
        value = graph.constant(inputs[2]) if node.op == "PadV2" else None
        replaced = [graph.producer(name).name for name in inputs[1:]]
        waits = graph.control_inputs(node)
        if paddings is not None and not np.any(paddings) and not graph.is_output(node.name):
            graph.set_inputs(node, inputs[:1] + waits)
            graph.bypass(node.name)
        elif value is not None and not np.any(value):
            graph.set_inputs(node, inputs[:2] + waits)
            node.op = "Pad"
        else:
            continue
        graph.sweep(replaced)
        count += 1
    return count

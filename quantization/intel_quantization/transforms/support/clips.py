"""Where a clip ends: the constant of a Minimum or a Maximum."""

from __future__ import annotations

from typing import Optional

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import Graph, NodeDef


def find_end(graph: Graph, node: NodeDef) -> Optional[float]:
    """The positive number at which a Minimum of one float32 tensor ends; None where it is no such clip."""
    if attribute(node, "T").type != DT_FLOAT:
        return None
    ends = [as_number(graph.constant(name)) for name in graph.data_inputs(node)]
    found = [end for end in ends if end is not None]
    return found[0] if len(found) == 1 and 0.0 < found[0] < np.inf else None


def as_number(value: Optional[np.ndarray]) -> Optional[float]:
    """A constant that is one number for all; None for others, and those that add dimensions to what they clip."""
    if value is None or value.size != 1 or value.ndim > 1:
        return None
    return float(value.reshape(-1)[0])

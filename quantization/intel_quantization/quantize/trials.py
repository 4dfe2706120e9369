"""The trials of all groups of which there are patches."""

from __future__ import annotations

from typing import Dict, Sequence

import numpy as np

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import layout_of
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.trial import Trial

# One product of a trial's patches and its weights takes so many multiply-accumulates at most, if that many patches do.
_MOST_WORK = 1 << 25
_PATCHES = (64, 512)


def make_trials(graph: Graph, items: Sequence[Item], statistics: Statistics) -> Dict[str, Trial]:
    """By the name of the group's root; none where no patches were drawn.

    A residual addition and what follows it are not tried: only the convolution with its bias is.
    """
    result: Dict[str, Trial] = {}
    for item in items:
        if not isinstance(item, Group):
            continue
        patches = statistics.patches.get(item.linear)
        weights = graph.constant(graph.data_inputs(graph.nodes[item.linear])[1])
        if patches is None or weights is None:
            continue
        layout = layout_of(graph.nodes[item.linear])
        patches = _some(patches, layout.count_outputs(weights.shape) if layout.mixes_channels else 1)
        bias = graph.constant(item.bias) if item.bias else None
        activation = "" if item.summand else item.activation
        seen = statistics.tensors[item.root]
        ends = None if item.activation or item.summand else (seen.minimum, seen.maximum)
        result[item.root] = Trial(graph.nodes[item.linear], weights, bias, activation, patches, ends)
    return result


def _some(patches: np.ndarray, outputs: int) -> np.ndarray:
    """As many patches, from all over them, as are tried in little time, if each of their values has so many readers."""
    wanted = int(np.clip(_MOST_WORK // (patches[0].size * max(outputs, 1)), *_PATCHES))
    return patches[:: -(-len(patches) // wanted)]

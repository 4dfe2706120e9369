"""Whether a graph normalises pixels itself, right behind its input.

From the input on, what stands before the first other op is followed as one map ``x -> x * scale + shift`` for each
channel. Where this map takes raw pixels (or 0..1, or -1..1) to what one of the known modes makes of raw pixels, that
is how the graph wants them.
"""

from __future__ import annotations

from typing import List, Optional

import numpy as np

from intel_quantization.data import preprocess
from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.channel_map import PIECES, Map, chain, map_of, unchanged

_MOVES = ("Identity", "Reshape", "ExpandDims", "Squeeze", "Transpose", "StopGradient", "Snapshot", "Cast")
_CUTS = ("Pad", "PadV2", "MirrorPad", "Slice", "StridedSlice", "CropAndResize")
_RESIZES = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_MOST_STEPS = 40
_PROBE = np.linspace(0.0, 255.0, 6)
_WANTED = ("none", "unit", "tf")
"""What an input in front of a normalisation may want."""
_LEAST_SCALE, _MOST_SCALE = 1 / 400, 1 / 30


def own_map(graph: Graph, node: str, channels: int) -> Optional[Map]:
    """Scale and shift, float64 [channels] each, that a graph applies to its input; None where it applies none."""
    total = unchanged(channels)
    found = False
    current = node
    for _step in range(_MOST_STEPS):
        readers = [reader for reader in graph.consumers(current) if reader.op not in ("Shape", "Rank", "Size")]
        if len(readers) != 1:
            break
        reader = readers[0]
        if reader.op not in (*_MOVES, *_CUTS, *_RESIZES):
            step = _step_of(graph, reader, current, channels)
            if step is None:
                break
            total = chain(total, step)
            found = True
        current = reader.name
    return total if found else None


def wanted_mode(own: Map) -> Optional[str]:
    """What an input wants in front of a map: ``none``, ``unit`` or ``tf``; None where no known mode comes out."""
    channels = len(own[0])
    modes = preprocess.modes_for("float32", channels)
    pixels = np.repeat(_PROBE[:, None], channels, axis=1).astype(np.float32)
    for wanted in _WANTED:
        values = preprocess.apply(wanted, pixels) * own[0] + own[1]
        for mode in modes:
            made = preprocess.apply(mode, pixels)
            for expected in (made, made[:, ::-1]):
                if mode != wanted and _are_alike(values, expected):
                    return wanted
    # no mode that is known, but nothing else than 0..255 is ever divided by so much
    return "none" if np.all((np.abs(own[0]) > _LEAST_SCALE) & (np.abs(own[0]) < _MOST_SCALE)) else None


def _are_alike(values: np.ndarray, expected: np.ndarray) -> bool:
    """Within an eighth of the range: published means and deviations differ a bit, and those for bytes by 255/256."""
    return bool(np.abs(values - expected).max() < np.ptp(expected) / 8)


def _step_of(graph: Graph, node: NodeDef, source: str, channels: int) -> Optional[Map]:
    inputs = graph.data_inputs(node)
    if node.op == "Neg":
        return map_of(node.op, np.ones(channels))
    if node.op in _FUSED:
        return _batch_norm(graph, node, channels)
    if node.op not in PIECES or len(inputs) != 2:
        return None
    place = 0 if tensors.node_of(inputs[0]) == source else 1
    value = graph.constant(inputs[1 - place])
    operand = None if value is None else _per_channel(value, channels)
    return None if operand is None else map_of(node.op, operand, place)


def _batch_norm(graph: Graph, node: NodeDef, channels: int) -> Optional[Map]:
    values: List[Optional[np.ndarray]] = [graph.constant(tensor) for tensor in graph.data_inputs(node)[1:5]]
    if any(value is None or value.size != channels for value in values):
        return None
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in values)
    scale = gamma / np.sqrt(variance + node.attr["epsilon"].f)
    return scale, beta - mean * scale


def _per_channel(value: np.ndarray, channels: int) -> Optional[np.ndarray]:
    """A constant as one number for each channel, whichever dimension these are; None for an image."""
    if value.dtype.kind not in "fiu" or value.size not in (1, channels):
        return None
    return np.broadcast_to(value.reshape(-1).astype(np.float64), channels)

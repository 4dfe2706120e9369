"""Round the weights of a layer up or down so that their errors cancel in its output, instead of each to its nearest.

Rounding to nearest has the least error of the weights. The least error of the output is another thing: inputs are
correlated (neighbouring pixels, channels that fire together), so that what one weight's rounding adds others can take
back. Column after column is rounded, and what is left over is handed to those that are not yet rounded, as the inputs'
covariance says (Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", algorithm 1; Hassibi & Stork 1993). The INT8 values, the ranges and the kernels stay what they are, and
so does the time of an inference.

The covariance comes from patches of what the layer reads. These are few, so it is shrunk towards its diagonal, and the
result has to do better than the nearest weights on patches that it did not see.
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import kind_of, layout_of
from intel_quantization.quantize.weights import quantize_weights, step_of

# One patch in so many proves, the others teach.
_PROVING = 8
_FEWEST_PATCHES = 32
# The diagonal is raised by the ratio of inputs to patches, within these limits, times its mean.
_SHRINKAGE = (0.05, 0.5)
# Inputs of an output that are looked at together: the inverse of their covariance takes 0.3 s.
_MOST_INPUTS = 1152
# Multiply-accumulates for all layers together; those that gain most for them come first. About 1 s of one core.
_MOST_WORK = 1.0e10
# So many columns are rounded before all the others hear of it.
_BLOCK = 64
# Two neighbouring products in the saturating int16 of kernels without VNNI: 255 * 128 fits.
_LARGEST_PAIR = 128.0
_TINY = np.float32(1e-30)


def choose_layers(graph: Graph, groups: Sequence[Group], errors: Dict[str, float]) -> Tuple[str, ...]:
    """The roots of the groups whose weights are worth the time.

    Args:
        graph: the FP32 graph.
        groups: those with patches.
        errors: by root: the share of noise in the output that weights rounded to nearest cause.
    """
    costs = {}
    for group in groups:
        node = graph.nodes[group.linear]
        weights = graph.constant(graph.data_inputs(node)[1])
        assert weights is not None  # a condition of every candidate
        layers, inputs, outputs = layout_of(node).as_columns(weights).shape
        if inputs <= _MOST_INPUTS:
            costs[group.root] = float(layers) * inputs * inputs * (4.0 * inputs + outputs)
    left, chosen = _MOST_WORK, []
    for root in sorted(costs, key=lambda name: -errors[name] / costs[name]):
        if costs[root] <= left:
            left -= costs[root]
            chosen.append(root)
    return tuple(chosen)


def round_adaptively(
    node: NodeDef, weights: np.ndarray, patches: np.ndarray, per_channel: bool, saturates: bool
) -> Tuple[np.ndarray, np.ndarray]:
    """Like :func:`~intel_quantization.quantize.weights.quantize_weights`, with the ranges that has.

    Args:
        node: the linear op.
        weights: float32.
        patches: float32 [patches, taps, channels]: what the op reads.
        per_channel: one range for each output channel.
        saturates: whether the input is quint8, and the kernels may add products in int16.

    Returns:
        int8 of the shape of ``weights``, and the largest magnitude that 127 stands for.
    """
    nearest, limit = quantize_weights(node, weights, per_channel, saturates)
    if len(patches) < _FEWEST_PATCHES:
        return nearest, limit
    layout = layout_of(node)
    step = np.broadcast_to(step_of(node, nearest, limit), weights.shape)
    # float32 is twice as fast, and exact enough to tell up from down
    columns, steps = layout.as_columns(weights), layout.as_columns(step).astype(np.float32)
    inputs = layout.inputs_of_layers(patches)
    inputs *= np.float32(2.0 ** -np.frexp(np.abs(inputs).max())[1])  # exact, and no square of them overflows
    inputs -= inputs.mean(axis=1, keepdims=True)  # what the mean does the bias takes back
    proving = np.zeros(len(patches), bool)
    proving[_PROVING - 1 :: _PROVING] = True
    pairs = saturates and kind_of(node).saturates
    tried = _round(columns, steps, inputs[:, ~proving], patches.shape[-1] if pairs else 0)
    plain = layout.as_columns(nearest).astype(np.float32)
    unseen = inputs[:, proving]
    errors = [np.square(unseen @ (found * steps - columns)).sum(axis=1) for found in (tried, plain)]
    better = errors[0] < errors[1]  # [layers, outputs]
    chosen = np.where(better[:, None, :], tried, plain)
    return layout.from_columns(chosen, weights.shape).astype(np.int8), limit


def _round(columns: np.ndarray, steps: np.ndarray, inputs: np.ndarray, channels: int) -> np.ndarray:
    """The rounded weights as numbers of steps: float32 of the shape of ``columns``.

    Args:
        columns: [layers, inputs, outputs].
        steps: the same shape.
        inputs: [layers, patches, inputs], with a mean of zero.
        channels: those that follow one another in the inputs, two and two of which must not exceed an int16; 0: any
            may.
    """
    count = columns.shape[1]
    covariance = inputs.transpose(0, 2, 1) @ inputs / inputs.shape[1]
    diagonal = np.arange(count)
    power = covariance[:, diagonal, diagonal]
    shrinkage = float(np.clip(count / inputs.shape[1], *_SHRINKAGE))
    # an input that is always the same tells nothing, and its weights are rounded to nearest
    covariance[:, diagonal, diagonal] += shrinkage * power.mean(axis=1, keepdims=True) + _TINY
    scale = np.maximum(covariance[:, diagonal, diagonal].max(axis=1)[:, None, None], _TINY)
    inverse = np.linalg.inv(covariance / scale)
    factor = np.linalg.cholesky(inverse).transpose(0, 2, 1)  # upper triangular
    left = columns.copy()
    result = np.empty_like(left)
    for begin in range(0, count, _BLOCK):
        end = min(begin + _BLOCK, count)
        errors: List[np.ndarray] = []
        for index in range(begin, end):
            most = 127.0
            if channels and index % channels % 2:
                before = result[:, index - 1]
                # weights of unlike sign take from one another
                room = _LARGEST_PAIR - np.abs(before)
                low = np.where(before < 0, -room, -most)
                high = np.where(before > 0, room, most)
                rounded = np.clip(
                    np.rint(left[:, index] / steps[:, index]), np.maximum(low, -most), np.minimum(high, most)
                )
            else:
                rounded = np.clip(np.rint(left[:, index] / steps[:, index]), -most, most)
            result[:, index] = rounded
            error = (left[:, index] - rounded * steps[:, index]) / factor[:, index, index, None]
            left[:, index + 1 : end] -= factor[:, index, index + 1 : end, None] * error[:, None, :]
            errors.append(error)
        left[:, end:] -= factor[:, begin:end, end:].transpose(0, 2, 1) @ np.stack(errors, axis=1)
    return result

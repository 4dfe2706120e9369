"""Symmetric INT8 weights: ``w ~ q * s`` with q in [-127, 127], one s for the tensor or for each output channel."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.registry import kind_of, layout_of

# A channel of zeros needs some range all the same.
_SMALLEST_RANGE = 1e-10


def quantize_weights(
    node: NodeDef, weights: np.ndarray, per_channel: bool, saturates: bool = True
) -> Tuple[np.ndarray, np.ndarray]:
    """Quantize the weights of a linear op.

    Without VNNI (AVX2, AVX-512 before Cascade Lake) the kernels multiply quint8 by qint8 with
    ``vpmaddubsw``, which adds two neighbouring products in a saturating int16: 255 * (127 + 127) does
    not fit, and such a graph is silently wrong there. So the range of a channel is widened just so
    far that no two neighbouring input channels can exceed an int16. For qint8 input oneDNN sees to
    that itself, and some kernels multiply in int32.

    Args:
        node: the linear op.
        weights: float32.
        per_channel: one range for each output channel, where the op's kernels know that.
        saturates: whether the input is quint8, and the kernels may be such.

    Returns:
        int8 of the shape of ``weights``, and the largest magnitude that 127 stands for: float32,
        a scalar or [output channels].
    """
    kind = kind_of(node)
    layout = kind.layout(node)
    axes = layout.summed if per_channel and kind.per_channel else tuple(range(weights.ndim))
    limits = np.abs(weights).max(axis=axes, keepdims=True)
    if saturates and kind.saturates:
        limits = np.maximum(limits, _largest_pair(weights, layout.inputs, axes))
    limits = np.maximum(limits, np.float32(_SMALLEST_RANGE)).astype(np.float32)
    steps = weights / limits
    steps *= 127.0
    np.clip(np.rint(steps, out=steps), -127, 127, out=steps)
    quantized = steps.astype(np.int8)
    return quantized, limits.reshape(()) if limits.size == 1 and len(axes) == weights.ndim else limits.reshape(-1)


def _largest_pair(weights: np.ndarray, axis: int, axes: Tuple[int, ...]) -> np.ndarray:
    """The largest sum of two neighbouring input channels' weights of one sign; ``axis``: of the input channels.

    With 127 standing for it, rounding cannot lift a pair above 128, and 255 * 128 fits an int16. Weights of unlike
    signs add up to less than the larger of them, and so do not matter; nor does one that has no neighbour.
    """
    rows = np.moveaxis(weights, axis, 0)
    sums = np.abs(rows[0 : len(rows) - 1 : 2] + rows[1::2])
    return np.moveaxis(sums, 0, axis).max(axis=axes, keepdims=True, initial=0.0)


def dequantized(node: NodeDef, values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """The float64 weights that quantized ones stand for, in the layout of the op."""
    return values * step_of(node, values, limit)


def step_of(node: NodeDef, values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """What one step of quantized weights stands for: float64, broadcastable to the layout of the op."""
    step = limit.astype(np.float64) / 127.0
    return layout_of(node).along_outputs(step, values.shape) if step.ndim else step


def bias_correction(node: NodeDef, error: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """What to add to the bias so that rounding the weights does not shift the mean of any output channel.

    ``E[op(x, w)] - E[op(x, w')] = op(E[x], w - w')``, with the mean of x taken for each channel and
    the borders neglected (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and
    Bias Correction", section 4.2, with measured means).

    Args:
        node: the linear op.
        error: ``w - w'``, float64, in the layout of the op.
        mean: float64, shape [input channels].

    Returns:
        float64, shape [output channels].
    """
    layout = layout_of(node)
    return layout.respond(mean, layout.reduce_taps(error, np.sum))


def shift_by_output(node: NodeDef, weights: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """What an offset of the input adds to each output channel where the op pads nothing: shape [output channels].

    Args:
        node: the linear op.
        weights: in the layout of the op.
        offset: a scalar, or shape [input channels].
    """
    layout = layout_of(node)
    added = layout.reduce_taps(weights, np.sum) * np.reshape(offset, (-1, 1))
    return np.asarray(added.sum(axis=0)) if layout.mixes_channels else added.reshape(-1)


def scale_inputs(node: NodeDef, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The weights with those of each input channel multiplied by its scale.

    Args:
        node: the linear op.
        weights: float32, in the layout of the op.
        scale: float64, shape [input channels].

    Returns:
        float32 of the shape of ``weights``.
    """
    return (weights * layout_of(node).along_inputs(scale)).astype(np.float32)

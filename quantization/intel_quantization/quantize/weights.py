"""Symmetric INT8 weights: ``w ~ q * s`` with q in [-127, 127], one s for the tensor or for each output channel."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import NodeDef

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
    that itself, and depthwise kernels multiply in int32.

    Args:
        node: Conv2D (HWIO), DepthwiseConv2dNative (HWCM) or MatMul (KN; NK with transpose_b).
        weights: float32.
        per_channel: one range for each output channel. MatMul kernels know only one for the tensor.
        saturates: whether the input is quint8, and the kernels may be such.

    Returns:
        int8 of the shape of ``weights``, and the largest magnitude that 127 stands for: float32,
        a scalar or [output channels].
    """
    axes = (0, 1) if node.op == "DepthwiseConv2dNative" else tuple(range(weights.ndim - 1))
    if not per_channel or node.op == "MatMul":
        axes = tuple(range(weights.ndim))
    limits = np.abs(weights).max(axis=axes, keepdims=True)
    if saturates and node.op != "DepthwiseConv2dNative":
        limits = np.maximum(limits, _largest_pair(node, weights, axes))
    limits = np.maximum(limits, np.float32(_SMALLEST_RANGE)).astype(np.float32)
    quantized = np.clip(np.rint(weights / limits * 127.0), -127, 127).astype(np.int8)
    return quantized, limits.reshape(()) if limits.size == 1 and len(axes) == weights.ndim else limits.reshape(-1)


def _largest_pair(node: NodeDef, weights: np.ndarray, axes: Tuple[int, ...]) -> np.ndarray:
    """The largest sum of two neighbouring input channels' weights of one sign.

    With 127 standing for it, rounding cannot lift a pair above 128, and 255 * 128 fits an int16.
    """
    axis = 1 if node.op == "MatMul" and attribute(node, "transpose_b").b else weights.ndim - 2
    rows = np.moveaxis(weights, axis, 0)
    if rows.shape[0] % 2:
        rows = np.concatenate([rows, np.zeros_like(rows[:1])])
    sums = [np.maximum(sign * rows[0::2], 0) + np.maximum(sign * rows[1::2], 0) for sign in (1, -1)]
    return np.moveaxis(np.maximum(sums[0], sums[1]), 0, axis).max(axis=axes, keepdims=True)


def dequantized(node: NodeDef, values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """The float64 weights that quantized ones stand for, in the layout of the op."""
    return values * step_of(node, values, limit)


def step_of(node: NodeDef, values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """What one step of quantized weights stands for: float64, broadcastable to the layout of the op."""
    step = limit.astype(np.float64) / 127.0
    if node.op == "DepthwiseConv2dNative" and step.ndim:
        return step.reshape(values.shape[2:])
    return step


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
    if node.op == "MatMul":
        return error.dot(mean) if attribute(node, "transpose_b").b else mean.dot(error)
    if node.op == "DepthwiseConv2dNative":
        return (error.sum(axis=(0, 1)) * mean[:, None]).reshape(-1)
    return mean.dot(error.sum(axis=(0, 1)))


def shift_by_output(node: NodeDef, weights: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """What an offset of the input adds to each output channel where the op pads nothing: shape [output channels].

    Args:
        node: the linear op.
        weights: in the layout of the op.
        offset: a scalar, or shape [input channels].
    """
    if node.op == "MatMul":
        inputs = weights.T if attribute(node, "transpose_b").b else weights
        return np.asarray((inputs * np.reshape(offset, (-1, 1))).sum(axis=0))
    if node.op == "DepthwiseConv2dNative":
        return (weights.sum(axis=(0, 1)) * np.reshape(offset, (-1, 1))).reshape(-1)
    return np.asarray((weights.sum(axis=(0, 1)) * np.reshape(offset, (-1, 1))).sum(axis=0))


def scale_inputs(node: NodeDef, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The weights with those of each input channel multiplied by its scale.

    Args:
        node: the linear op.
        weights: float32, in the layout of the op.
        scale: float64, shape [input channels].

    Returns:
        float32 of the shape of ``weights``.
    """
    if node.op == "MatMul" and attribute(node, "transpose_b").b:
        return (weights * scale).astype(np.float32)
    return (weights * scale[:, None]).astype(np.float32)

"""Symmetric INT8 weights: ``w ~ q * s`` with q in [-127, 127], one s for the tensor or for each output channel."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from intel_quantization.graph.graph import NodeDef

# A channel of zeros needs some range all the same.
_SMALLEST_RANGE = 1e-10


def quantize_weights(node: NodeDef, weights: np.ndarray, per_channel: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Quantize the weights of a linear op.

    Args:
        node: Conv2D (HWIO), DepthwiseConv2dNative (HWCM) or MatMul (KN; NK with transpose_b).
        weights: float32.
        per_channel: one range for each output channel. MatMul kernels know only one for the tensor.

    Returns:
        int8 of the shape of ``weights``, and the largest magnitude that 127 stands for: float32,
        a scalar or [output channels].
    """
    if not per_channel or node.op == "MatMul":
        limit = np.float32(max(float(np.abs(weights).max()), _SMALLEST_RANGE))
        return _round(weights / limit), np.asarray(limit)
    axes = (0, 1) if node.op == "DepthwiseConv2dNative" else (0, 1, 2)
    limits = np.maximum(np.abs(weights).max(axis=axes), np.float32(_SMALLEST_RANGE)).astype(np.float32)
    return _round(weights / limits), limits.reshape(-1)


def _round(fractions: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(fractions * 127.0), -127, 127).astype(np.int8)

"""Weights that INT8 kernels keep on any CPU, for tests of what lies between the products.

Without VNNI (AVX2, plain AVX-512) oneDNN makes signed input unsigned by adding 128, and halves the
weights so that two products fit an int16 (``scale_adjust = 0.5``): a weight of q steps becomes
2 * rint(q / 2), so of 127 steps 64 stay. Odd weights, every other one, are then wrong by a whole step.
That adds 1/2 to the 1/12 of a squared step by which rounding is off in the mean: √7 times the error,
in every product on signed input. A tolerance that allows for it lets faults pass on the CPUs that need
no such thing; weights that are even numbers of steps already need none.
"""

from __future__ import annotations

import numpy as np

from tests.quantization.builders import weights_for


def kept_weights(name, shape):
    """Weights like ``weights_for``, of even numbers of steps.

    Only the largest of an output channel is odd, 127 steps by definition. Per-channel scales, as of a
    batch norm, change nothing of this; one range for all channels, or equalization, does.
    """
    weights = weights_for(name, shape)
    axes = tuple(range(len(shape) - 1))
    largest = np.abs(weights).max(axis=axes, keepdims=True)
    steps = np.where(np.abs(weights) == largest, 127 * np.sign(weights), 2 * np.rint(weights / largest * 63))
    return (steps * (largest / 127)).astype(np.float32)

"""What rounding shifts the mean of each channel behind a ReLU by, and the bias that takes it back.

Noise that cancels on average ahead of a ReLU does not cancel behind it: below zero it is cut off, above it is not, and
with a ReLU6 there is a second such end. So each layer hands a small shift to the next, and they add up. Without a
ReLU it is what rounding the input shifts, such as that of a flat background, that the bias takes back.
On patches of what the layer reads the INT8 layer is computed, and the bias is changed until its mean is that of FP32
(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2, which takes
the values ahead of a ReLU to be normally distributed). A channel keeps its shift where that does better on patches
that did not teach it.
"""

from __future__ import annotations

import numpy as np

from intel_quantization.quantize.trial import Trial

# One patch in so many proves, the others teach.
_PROVING = 8
_FEWEST_PATCHES = 64
# A change of the bias moves those values only that are not at an end; the first step is too short where few are.
_STEPS = 2
_LEAST_SHARE = 0.05


def find_activation_shift(trial: Trial, patches: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """What to add to the bias: float64, shape [output channels].

    Args:
        trial: the FP32 layer on its patches.
        patches: these as INT8 has them, float32.
        weights: as INT8 has them, in the layout of the op.
        bias: of the INT8 layer so far, [output channels].
    """
    shift = np.zeros(trial.wanted.shape[1])
    if len(patches) < _FEWEST_PATCHES:
        return shift
    proving = np.zeros(len(patches), bool)
    proving[_PROVING - 1 :: _PROVING] = True
    linear = trial.multiply(patches, weights.astype(np.float32)) + bias.astype(np.float32)
    for _ in range(_STEPS):
        moved = linear[~proving] + shift.astype(np.float32)
        given = trial.activate(moved)
        free = (given == moved).mean(axis=0)
        excess = (given - trial.wanted[~proving]).mean(axis=0, dtype=np.float64)
        shift -= np.where(free > _LEAST_SHARE, excess / np.maximum(free, _LEAST_SHARE), 0.0)
    unseen, wanted = linear[proving], trial.wanted[proving]
    errors = [
        np.square(trial.activate(unseen + change) - wanted).mean(axis=0, dtype=np.float64)
        for change in (shift.astype(np.float32), np.float32(0.0))
    ]
    return np.where(errors[0] < errors[1], shift, 0.0)

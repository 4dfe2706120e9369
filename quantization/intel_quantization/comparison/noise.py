"""Signal to quantization noise, summed over batches."""

from __future__ import annotations

import numpy as np

_MOST_DB = 200.0  # equal to the last bit: JSON has no infinity


class Noise:
    """Sums signal and noise power over batches."""

    def __init__(self) -> None:
        self.signal = 0.0
        self.noise = 0.0
        self._seen = False

    def add(self, reference: np.ndarray, other: np.ndarray) -> None:
        """Two arrays of one shape."""
        reference = reference.astype(np.float64)
        self.signal += float(np.square(reference).sum())
        self.noise += float(np.square(reference - other.astype(np.float64)).sum())
        self._seen = True

    def decibels(self) -> float | None:
        """None where nothing finite was seen."""
        if not self._seen or not np.isfinite(self.noise):
            return None
        return decibels(self.signal, self.noise)


def decibels(signal: float, noise: float) -> float:
    """The ratio in dB, bounded."""
    if noise <= 0:
        return _MOST_DB
    if signal <= 0:
        return -_MOST_DB
    return float(np.clip(10 * np.log10(signal / noise), -_MOST_DB, _MOST_DB))

"""Any other numbers: noise, direction, and how much of what differs between samples INT8 keeps."""

from __future__ import annotations

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.degenerate import alike
from intel_quantization.comparison.findings import Concern, Findings, judge
from intel_quantization.comparison.noise import Noise, decibels


class Values:
    """Arrays [samples, ...] of floats; ``name`` is that of the output."""

    kind = "values"

    def __init__(self, name: str) -> None:
        self._name = name
        self._noise = Noise()
        self._cosines: list[float] = []
        self._sum: np.ndarray | None = None
        self._compared = self._count = 0

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        before, after = fp32[0], int8[0]
        if before.shape != after.shape or not before.size:
            return
        before, after = (each.reshape(len(each), -1).astype(np.float64) for each in (before, after))
        self._noise.add(before, after)
        self._cosines.extend(cosines(before, after))
        if self._compared == self._count and (self._sum is None or len(self._sum) == before.shape[1]):
            self._sum = before.sum(axis=0) + (0.0 if self._sum is None else self._sum)
            self._compared += len(before)
        self._count += len(before)

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        noise = self._noise.decibels()
        if noise is None:
            return None
        cosine = float(np.mean(self._cosines))
        figures, text = {"sqnr_db": noise, "cosine": cosine}, f"SQNR {noise:.1f} dB, cosine {cosine:.4f}"
        what, limits, measured = f"INT8 differs from FP32 by noise of {noise:.1f} dB", thresholds.SQNR, noise
        variance = self._compute_variance()
        concerns: tuple[Concern, ...] = ()
        if variance is not None:
            concerns = alike(variance, self._noise.signal, self._count)
        if variance is not None and not concerns:
            measured, limits = decibels(variance, self._noise.noise), thresholds.VARIATION
            figures["variation_db"] = measured
            text += f", {measured:.1f} dB of what differs between samples"
            what = f"INT8 has lost what differs between samples: {measured:.1f} dB of signal to noise there"
        concerns += judge(measured, measured, limits, what, "dB")
        return Findings((self._name,), self.kind, self._count, text, figures, concerns)

    def _compute_variance(self) -> float | None:
        """Power of what differs between samples; None where they are too few or of different sizes."""
        if self._sum is None or self._compared < max(self._count, thresholds.FEWEST_ALIKE):
            return None
        return self._noise.signal - float(np.square(self._sum).sum()) / self._count


def cosines(before: np.ndarray, after: np.ndarray) -> list[float]:
    """Of each row with its like; 1 for two rows of zeros."""
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    products = (before * after).sum(axis=1)
    empty = (np.abs(before).max(axis=1) == 0) & (np.abs(after).max(axis=1) == 0)
    return list(np.where(empty, 1.0, products / np.where(lengths > 0, lengths, 1.0)))

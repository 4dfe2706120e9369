"""Rows whose direction is what counts: embeddings, features."""

from __future__ import annotations

from typing import Any

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.bounds import mean_upper
from intel_quantization.comparison.degenerate import alike
from intel_quantization.comparison.findings import Findings, judge
from intel_quantization.comparison.values import cosines


class Embedding:
    """Rows [samples, features]; ``name`` is that of the output."""

    kind = "embedding"

    def __init__(self, name: str) -> None:
        self._name = name
        self._pairs: list[Any] = []

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        if fp32[0].shape == int8[0].shape:
            self._pairs.append(np.stack([each.reshape(len(each), -1) for each in (fp32[0], int8[0])]))

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._pairs:
            return None
        before, after = np.concatenate(self._pairs, axis=1).astype(np.float64)
        count = len(before)
        cosine = float(np.mean(cosines(before, after)))
        figures, text = {"cosine": cosine}, f"cosine {cosine:.4f}"
        if count < thresholds.FEWEST_ALIKE:
            what = f"the cosine of FP32's and INT8's rows is only {cosine:.3f}"
            concerns = judge(cosine, cosine, thresholds.COSINE, what, "")
            return Findings((self._name,), self.kind, count, text, figures, concerns)
        # what all samples have in common says nothing: features behind a ReLU all point the same way
        middle = before.mean(axis=0)
        apart = cosines(before - middle, after - middle)
        centred = float(np.mean(apart))
        nearest = (_normalise(after - middle) @ _normalise(before - middle).T).argmax(axis=1)
        itself = 100.0 * float((nearest == np.arange(count)).mean())
        figures.update(centred_cosine=centred, nearest_itself=itself)
        text += f", {centred:.4f} about the mean; {itself:.1f} % of samples are nearest to themselves in FP32"
        what = f"the cosine of FP32's and INT8's rows about their mean is only {centred:.3f}"
        variance, signal = float(np.square(before - middle).sum()), float(np.square(before).sum())
        concerns = alike(variance, signal, count)
        concerns = concerns or judge(centred, mean_upper(apart), thresholds.COSINE, what, "")
        return Findings((self._name,), self.kind, count, text, figures, concerns)


def _normalise(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

"""One row of class scores for each sample: the best class of both graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.agreement import judge_answers
from intel_quantization.comparison.degenerate import even_answers, same_answer
from intel_quantization.comparison.findings import Concern, Findings, judge
from intel_quantization.comparison.noise import Noise
from intel_quantization.data import class_scores


class Scores:
    """Rows [samples, classes].

    Args:
        name: of the output.
        probabilities: whether rows are distributions; logits may be something else, a row of features, so that they
            are judged by their noise as well, and the FP32 graph's not at all.
    """

    kind = "scores"

    def __init__(self, name: str, probabilities: bool) -> None:
        self._name = name
        self.probabilities = probabilities
        self._noise = Noise()
        self._answers: list[Any] = []
        self._classes = 0
        self._mean: np.ndarray | None = None
        self._entropy = 0.0

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        before, after = class_scores.scores(fp32[0]), class_scores.scores(int8[0])
        if before is None or after is None or before.shape != after.shape:
            return
        rows = (before, after)
        self._classes = rows[0].shape[1]
        self._noise.add(*(class_scores.log_scores(each, self.probabilities) for each in rows))
        if self.probabilities:
            self._mean = rows[0].sum(axis=0) + (0.0 if self._mean is None else self._mean)
            self._entropy += float(_entropy(rows[0]).sum())
        self._answers.append(np.stack([each.argmax(axis=1) for each in rows]))

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._answers:
            return None
        before, after = np.concatenate(self._answers, axis=1)
        count, same = len(before), int((before == after).sum())
        agreement, noise = 100.0 * same / count, self._noise.decibels()
        figures = {"agreement": agreement}
        text = f"same answer {agreement:.2f} %"
        if noise is not None:
            figures["sqnr_db"] = noise
            text += f", SQNR {noise:.1f} dB"
        return Findings((self._name,), self.kind, count, text, figures, self._find_concerns(before, after, noise))

    def _find_concerns(self, before: np.ndarray, after: np.ndarray, noise: float | None) -> tuple[Concern, ...]:
        found = judge_answers(before, after)
        if not self.probabilities:
            return () if noise is None or noise > thresholds.SQNR[1] else found
        if not found and noise is not None:
            what = f"INT8's scores differ from FP32's by noise of {noise:.1f} dB"
            found = judge(noise, noise, thresholds.SCORES_SQNR, what, "dB")
        return found + (same_answer(before, self._classes) or self._judge_evenness(len(before)))

    def _judge_evenness(self, count: int) -> tuple[Concern, ...]:
        """The concern that FP32's rows hardly depend on the sample, whichever class is best."""
        assert self._mean is not None  # of probabilities
        information = float(_entropy(self._mean[np.newaxis] / count)[0]) - self._entropy / count
        return even_answers(information, self._classes, count)


def _entropy(rows: np.ndarray) -> np.ndarray:
    return -(rows * np.log(np.maximum(rows, 1e-30))).sum(axis=-1)

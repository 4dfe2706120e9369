"""Whole numbers that are answers, as an ArgMax gives them: whether they are equal."""

from __future__ import annotations

import numpy as np

from intel_quantization.comparison.agreement import judge_answers
from intel_quantization.comparison.degenerate import same_answer
from intel_quantization.comparison.findings import Findings


class Answers:
    """Arrays [samples, ...] of integers; ``name`` is that of the output."""

    kind = "answers"

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers: dict[bytes, int] = {}
        self._pairs: list[tuple[int, int]] = []

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        for before, after in zip(fp32[0], int8[0]):
            self._pairs.append((self._number_answer(before), self._number_answer(after)))

    def _number_answer(self, answer: np.ndarray) -> int:
        return self._numbers.setdefault(answer.tobytes(), len(self._numbers))

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._pairs:
            return None
        before, after = np.array(self._pairs).T
        share = 100.0 * float((before == after).mean())
        concerns = judge_answers(before, after) + same_answer(before, 2)
        text = f"same answer {share:.2f} %"
        return Findings((self._name,), self.kind, len(before), text, {"agreement": share}, concerns)

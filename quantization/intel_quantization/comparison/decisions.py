"""Independent scores in 0..1, as of one yes-or-no question or of many labels at once: which are above a half."""

from __future__ import annotations

from typing import Any

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.agreement import judge_answers
from intel_quantization.comparison.bounds import share_bounds
from intel_quantization.comparison.degenerate import same_answer
from intel_quantization.comparison.findings import Findings, judge


class Decisions:
    """Rows [samples, questions]; ``name`` is that of the output."""

    kind = "decisions"

    def __init__(self, name: str) -> None:
        self._name = name
        self._pairs: list[Any] = []

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        if fp32[0].shape == int8[0].shape:
            self._pairs.append(np.stack([each.reshape(len(each), -1) >= 0.5 for each in (fp32[0], int8[0])]))

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._pairs:
            return None
        before, after = np.concatenate(self._pairs, axis=1)
        count = len(before)
        equal = 100.0 * float((before == after).mean())
        text, figures = f"same decision {equal:.2f} %", {"decisions": equal}
        if before.shape[1] == 1:
            concerns = judge_answers(before[:, 0].astype(int), after[:, 0].astype(int))
        else:
            # most labels are off in most samples, so that a graph which says nothing agrees nearly everywhere
            positive = float(before.sum() + after.sum())
            share = 200.0 * float((before & after).sum()) / positive if positive else 100.0
            samples = int((before | after).any(axis=1).sum())
            figures["positives"] = share
            text += f", {share:.1f} % of the positive ones"
            what = f"of what FP32 or INT8 says yes to, only {share:.1f} % is said by both"
            upper = 100 * share_bounds(share / 100 * samples, samples)[1]
            concerns = judge(share, upper, thresholds.DECISIONS, what) if samples >= thresholds.FEWEST_ANSWERS else ()
        alike = [row.tobytes() for row in before]
        concerns += same_answer(alike, 2, "the same decisions")
        return Findings((self._name,), self.kind, count, text, figures, concerns)

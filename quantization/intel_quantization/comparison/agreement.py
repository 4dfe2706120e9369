"""Whether INT8's answers are FP32's, apart from what would be equal by chance."""

from __future__ import annotations

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.bounds import share_bounds
from intel_quantization.comparison.findings import Concern, judge


def judge_answers(before: np.ndarray, after: np.ndarray) -> tuple[Concern, ...]:
    """The concern that too few of the answers [samples] of two graphs, whole numbers, are the same.

    A graph that says "no" to everything agrees with one that says it to every second sample in half of them. So what
    is judged is the share beyond that (Cohen's kappa); of many classes, that is the share itself.
    """
    count, same = len(before), int((before == after).sum())
    if count < thresholds.FEWEST_ANSWERS:
        return ()
    classes = int(max(before.max(), after.max())) + 1
    shares = [np.bincount(answers, minlength=classes) / count for answers in (before, after)]
    chance = float((shares[0] * shares[1]).sum())
    if chance > thresholds.ALL_BY_CHANCE:
        chance = 0.0
    what = f"INT8 gives FP32's answer for only {same} of {count} samples"
    if chance > thresholds.MUCH_BY_CHANCE:
        what += f", {100 * chance:.0f} % of which would be by chance"
    measured, bound = (100 * (share - chance) / (1 - chance) for share in (same / count, share_bounds(same, count)[1]))
    return judge(measured, bound, thresholds.AGREEMENT, what)

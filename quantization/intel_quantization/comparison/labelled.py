"""What labels tell: the paired drop of top-1 with its interval, and whether they fit the FP32 graph at all."""

from __future__ import annotations

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.bounds import Drop, paired_drop, share_bounds
from intel_quantization.comparison.findings import ALARM, INT8, LABELS, NOTICE, Concern


def drop_of(right: np.ndarray) -> Drop:
    """The drop of top-1 from what both graphs get right: bool [2, samples], FP32 first."""
    before, after = right
    return paired_drop(int((before & ~after).sum()), int((after & ~before).sum()), len(before))


def judge_drop(drop: Drop, count: int) -> tuple[Concern, ...]:
    """The concern that top-1 has dropped."""
    if drop.points <= thresholds.DROP:
        return ()
    what = (
        f"INT8 has lost {drop.points:.1f} points of top-1 on {count} samples "
        f"(95 % interval {drop.low:+.1f} to {drop.high:+.1f})"
    )
    if drop.low > thresholds.CERTAIN_DROP:
        return (Concern(ALARM, INT8, what, drop.points, thresholds.CERTAIN_DROP, "points"),)
    remedy = ""
    if drop.low <= 0:
        what += ", which may be chance"
        remedy = f"more images to compare on: so many tell no less than {drop.points - drop.low:.1f} points from none"
    return (Concern(NOTICE, INT8, what, drop.points, thresholds.DROP, "points", remedy),)


def judge_labels(labels: np.ndarray, right: np.ndarray, classes: int) -> tuple[Concern, ...]:
    """The concern that the FP32 graph is right no more often than by guessing.

    Args:
        labels: int [samples].
        right: bool [samples], what FP32 gets right.
        classes: that the graph tells apart.
    """
    count, hits = len(labels), int(right.sum())
    if count < thresholds.ENOUGH_ALIKE:
        return ()
    most = float(np.unique(labels, return_counts=True)[1].max()) / count
    guess = max(most, 1.0 / classes) if most < thresholds.ALL_BY_CHANCE else 1.0 / classes
    poor = classes >= thresholds.MANY_CLASSES and 100 * share_bounds(hits, count)[1] < thresholds.POOR
    if hits / count > guess and not poor:
        return ()
    what = (
        f"the FP32 graph is right for only {hits} of {count} samples; "
        f"always the same answer would be for {round(guess * count)}: do labels and preprocessing fit?"
    )
    return (Concern(ALARM, LABELS, what, 100.0 * hits / count, 100.0 * guess),)

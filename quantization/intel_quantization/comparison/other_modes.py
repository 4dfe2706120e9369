"""Whether another preprocessing than the one that the user gave fits the FP32 graph far better.

A mode that is given is taken, but a wrong one gives an INT8 graph that agrees with FP32 about nonsense. So FP32 tries
the other modes on a few samples: under the right one its answers are sure and differ between samples.
"""

from __future__ import annotations

from typing import Callable, Iterable, Sequence

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.class_map import INTEGERS, MASK, ClassMap
from intel_quantization.comparison.findings import ALARM, FP32, NOTICE, Concern
from intel_quantization.comparison.recognise import recognise
from intel_quantization.comparison.scores import Scores
from intel_quantization.comparison.sequences import Sequences
from intel_quantization.data import class_scores

_MOST_ROWS = 4096
_MOST_CLASSES = 256


def judge_mode(
    mode: str, modes: Iterable[str], run: Callable[[str], list[list[np.ndarray]]], names: Sequence[str]
) -> tuple[Concern, ...]:
    """The concern that another of ``modes`` fits far better than ``mode``.

    Args:
        run: gives, for a mode, of each batch what FP32 gives for each output.
        names: of the outputs.
    """
    others = [other for other in modes if other != mode]
    own = fit(names, run(mode)) if others else None
    if own is None:
        return ()
    fits = {other: fit(names, run(other)) for other in others}
    known = {other: value for other, value in fits.items() if value is not None}
    if not known:
        return ()
    best = max(known, key=lambda other: known[other])
    ahead = known[best] - own
    for severity, margin in ((ALARM, thresholds.FAR_BETTER), (NOTICE, thresholds.BETTER)):
        if ahead >= margin:
            what = (
                f"the FP32 graph is surer of its answers, and tells samples apart better, with --preprocess {best} "
                f"than with {mode} (by {ahead:.2f}): is {mode} right?"
            )
            return (Concern(severity, FP32, what, -ahead, -margin, "nats", f"--preprocess {best}"),)
    return ()


def guessed_mode(why: str) -> Concern:
    """The concern that nothing told which preprocessing is right; ``why`` is what the choice said."""
    remedy = "--preprocess with the one that the network was trained with, and labels, if there are any"
    return Concern(NOTICE, FP32, why, 0.0, 1.0, "", remedy)


def fit(names: Sequence[str], batches: list[list[np.ndarray]]) -> float | None:
    """Information that answers give of the sample, in nats, plus mean top probability; None where none is a class."""
    for task in recognise(names, batches) if batches else ():
        rows = _find_rows(task.comparer, [batch[task.indices[0]] for batch in batches])
        if rows is not None:
            entropies = -(rows * np.log(np.maximum(rows, 1e-30))).sum(axis=1)
            mean = rows.mean(axis=0)
            information = -float((mean * np.log(np.maximum(mean, 1e-30))).sum()) - float(entropies.mean())
            return information + float(rows.max(axis=1).mean())
    return None


def _find_rows(comparer: object, arrays: list[np.ndarray]) -> np.ndarray | None:
    """Distributions over classes, one a row, of what is not too much."""
    if isinstance(comparer, Scores) and comparer.probabilities:
        found = [class_scores.scores(array) for array in arrays]
        return np.concatenate([rows for rows in found if rows is not None])
    if isinstance(comparer, Sequences):
        return _draw_some(np.concatenate([array.reshape(-1, array.shape[-1]) for array in arrays]))
    if not isinstance(comparer, ClassMap) or comparer.axis == MASK:
        return None
    if comparer.axis is not INTEGERS:
        axis = comparer.axis
        return _draw_some(
            np.concatenate([np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis]) for array in arrays])
        )
    pixels = _draw_some(np.concatenate([array.reshape(-1) for array in arrays]))
    return np.eye(_MOST_CLASSES)[np.clip(pixels, 0, _MOST_CLASSES - 1).astype(np.int64)]


def _draw_some(rows: np.ndarray) -> np.ndarray:
    return rows[:: max(len(rows) // _MOST_ROWS, 1)].astype(np.float64)

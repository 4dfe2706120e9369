"""A class for each pixel: from integers, from scores along an axis, or from one score that is above a half or not."""

from __future__ import annotations

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.bounds import mean_upper
from intel_quantization.comparison.degenerate import same_answer
from intel_quantization.comparison.findings import Findings, judge

INTEGERS = None
"""The axis of a map that is of classes already."""
MOST_CLASSES = 4096
"""Whole numbers from here on are no classes."""
MASK = 0
"""The axis, as it were, of a map of one score in 0..1."""


class ClassMap:
    """Maps of classes.

    Args:
        name: of the output.
        axis: along which the scores of classes lie; INTEGERS or MASK.
    """

    kind = "class_map"

    def __init__(self, name: str, axis: int | None) -> None:
        self._name = name
        self.axis = axis
        self._equal: list[float] = []
        self._overlaps: list[float] = []
        self._dominant: list[int] = []
        self._table = np.zeros((3, 0))  # by class: in both, in FP32, in INT8

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        if fp32[0].shape != int8[0].shape:
            return
        for before, after in zip(self.classes(fp32[0]), self.classes(int8[0])):
            counts = _count_classes(before, after)
            grown = np.zeros((3, max(self._table.shape[1], counts.shape[1])))
            grown[:, : self._table.shape[1]] += self._table
            grown[:, : counts.shape[1]] += counts
            self._table = grown
            self._equal.append(100.0 * counts[0].sum() / before.size)
            self._overlaps.append(mean_iou(counts))
            largest = int(counts[1].argmax())
            self._dominant.append(largest if counts[1, largest] >= thresholds.WHOLE_MAP * before.size else -1)

    def size(self, array: np.ndarray) -> tuple[int, int]:
        """Height and width of the maps of an output of the graph."""
        channels_first = self.axis == 1 or (self.axis == MASK and array.ndim == 4 and array.shape[1] == 1)
        start = 2 if channels_first else 1
        return array.shape[start], array.shape[start + 1]

    def classes(self, array: np.ndarray) -> np.ndarray:
        """The class of each pixel, int64 [samples, pixels], of an output of the graph."""
        if self.axis is INTEGERS:
            return np.clip(array, 0, MOST_CLASSES - 1).astype(np.int64).reshape(len(array), -1)
        if self.axis == MASK:
            return (array.reshape(len(array), -1) >= 0.5).astype(np.int64)
        return array.argmax(axis=self.axis).reshape(len(array), -1)

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._equal:
            return None
        equal, overlap = float(np.mean(self._equal)), mean_iou(self._table)
        text = f"{equal:.1f} % of pixels equal, mean IoU {overlap:.1f} %"
        what = f"INT8 gives FP32's class to only {equal:.1f} % of pixels, mean IoU {overlap:.1f} %"
        # of the whole set's mean IoU there is one value only, so the spread is that of the images'
        slack = max(mean_upper(self._overlaps) - float(np.mean(self._overlaps)), 0.0)
        concerns = judge(overlap, min(overlap + slack, 100.0), thresholds.MEAN_IOU, what)
        if not concerns:
            concerns = judge(equal, mean_upper(self._equal), thresholds.PIXELS, what)
        alike = [number if number >= 0 else -1 - index for index, number in enumerate(self._dominant)]
        concerns += same_answer(alike, thresholds.MANY_CLASSES, "one and the same class to all pixels")
        figures = {"equal_pixels": equal, "mean_iou": overlap}
        return Findings((self._name,), self.kind, len(self._equal), text, figures, concerns)


def _count_classes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """[3, classes]: pixels that have the class in both, in the first, in the second."""
    classes = int(max(before.max(), after.max())) + 1
    both = before[before == after]
    return np.stack([np.bincount(each, minlength=classes) for each in (both, before, after)]).astype(np.float64)


def mean_iou(counts: np.ndarray) -> float:
    """Mean IoU in percent over the classes that FP32 gives, where they are more than stray pixels."""
    both, before, after = counts
    seen = before >= max(thresholds.STRAY_PIXELS * before.sum(), 1)
    return 100.0 * float(np.mean(both[seen] / (before + after - both)[seen])) if seen.any() else 100.0

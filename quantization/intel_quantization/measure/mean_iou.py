"""Mean intersection over union of both graphs' maps of classes with labels for each pixel."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from intel_quantization.comparison.class_map import ClassMap
from intel_quantization.data.truth import Mask
from intel_quantization.measure.bootstrap import interval
from intel_quantization.measure.paired import BOOTSTRAP, Paired

VOID = 255
"""The label of pixels that count not, as Pascal VOC has it on the borders of objects."""


class MeanIoU:
    """Gathers, for each sample and class, the pixels in both, in the labels, and in the answer.

    Args:
        index: which of the outputs the map is.
        comparer: that knows where in it the classes are.
    """

    def __init__(self, index: int, comparer: ClassMap) -> None:
        self._index = index
        self._comparer = comparer
        self._tables: list[list[np.ndarray]] = []  # of each sample: of both graphs [3, classes]

    def add(self, before: Sequence[np.ndarray], after: Sequence[np.ndarray], images: Sequence[Any]) -> None:
        """The outputs of both graphs for a batch, and its samples, whose truth is a Mask."""
        fp32, int8 = (np.asarray(each[self._index]) for each in (before, after))
        if fp32.shape != int8.shape:
            return
        size = self._comparer.size(fp32)
        pairs = zip(self._comparer.classes(fp32), self._comparer.classes(int8))
        for image, answers in zip(images, pairs):
            if isinstance(image.truth, Mask):
                labels = image.truth.resized(size).reshape(-1)
                self._tables.append([_count_table(labels, answer) for answer in answers])

    def finish(self) -> Paired | None:
        """None where no sample had labels."""
        if not self._tables:
            return None
        classes = max(table.shape[1] for pair in self._tables for table in pair)
        counts = np.zeros((2, len(self._tables), 3, classes))
        for number, pair in enumerate(self._tables):
            for which, table in enumerate(pair):
                counts[which, number, :, : table.shape[1]] = table
        ones = np.ones((1, len(self._tables)))
        fp32, int8 = (float(_compute_mean(each, ones)[0]) for each in counts)
        differing = int((counts[0] != counts[1]).any(axis=(1, 2)).sum())
        low, high = interval(
            lambda weights: _compute_mean(counts[0], weights) - _compute_mean(counts[1], weights),
            len(self._tables),
            100.0,
            differing,
        )
        return Paired("mean IoU", fp32, int8, fp32 - int8, low, high, len(self._tables), BOOTSTRAP)


def _count_table(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    known = labels != VOID
    labels, answers = labels[known], answers[known]
    classes = int(max(labels.max(initial=0), answers.max(initial=0))) + 1
    both = labels[labels == answers]
    return np.stack([np.bincount(each, minlength=classes) for each in (both, labels, answers)])


def _compute_mean(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Percent, for each row of weights [resamples, samples], of counts [samples, 3, classes].

    Over the classes that labels have; COCO and Pascal VOC count the IoU of the whole set, not the mean of images'.
    """
    both, labels, answers = np.moveaxis(np.tensordot(weights, counts, axes=(1, 0)), 1, 0)
    union = labels + answers - both
    seen = labels > 0
    shares = np.where(seen, both / np.where(union > 0, union, 1.0), 0.0)
    return 100.0 * shares.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)

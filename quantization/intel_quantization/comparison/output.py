"""An output as FP32 gives it for the first samples, and what its values are like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from intel_quantization.data import class_scores


@dataclass(frozen=True)
class Task:
    """What is compared together: the indices of outputs, and what compares their arrays, given in that order."""

    indices: tuple[int, ...]
    comparer: Any


@dataclass(frozen=True)
class Output:
    """One output: its name, and FP32's arrays for the first batches, without what only fills a batch up."""

    index: int
    name: str
    arrays: tuple[np.ndarray, ...]

    @property
    def last(self) -> str:
        """The last part of the name, without the number of the result: ``detection_boxes``."""
        return self.name.rsplit("/", 1)[-1].rpartition(":")[0]

    @property
    def first(self) -> np.ndarray:
        """The largest of the arrays: a detector may have found nothing at first."""
        return max(self.arrays, key=lambda array: array.size)

    def all(self) -> np.ndarray | None:
        """The arrays as one; None where the samples are of different sizes."""
        shapes = {array.shape[1:] for array in self.arrays}
        return np.concatenate(self.arrays) if len(shapes) == 1 and self.first.ndim else None


def holds_distributions(array: np.ndarray) -> bool:
    """Whether the last axis holds distributions."""
    return array.ndim >= 2 and array.shape[-1] >= 2 and class_scores.is_distribution(array.reshape(-1, array.shape[-1]))


def is_within_one(output: Output) -> bool:
    """Whether all values are in 0..1."""
    return all(array.size == 0 or (array.min() >= 0 and array.max() <= 1) for array in output.arrays)


def is_decided(output: Output) -> bool:
    """Whether scores in 0..1 are those of decisions: most of them near one of the ends."""
    values = np.concatenate([array.reshape(-1) for array in output.arrays])
    return bool((np.minimum(values, 1 - values) < 0.25).mean() >= 0.5)


def is_whole(output: Output) -> bool:
    """Whether all values are whole numbers, of whichever type."""
    kind = output.first.dtype.kind
    return kind in "iuf" and all(np.array_equal(array, np.rint(array)) for array in output.arrays)

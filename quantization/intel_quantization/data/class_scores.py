"""Which of a graph's outputs are class scores, and how class folders number them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

_SUM_TOLERANCE = 2e-2


@dataclass(frozen=True)
class Classes:
    """The output that scores classes.

    Attributes:
        index: its place among the outputs.
        count: number of classes, C.
        probabilities: whether each row is a distribution (otherwise: logits).
    """

    index: int
    count: int
    probabilities: bool


def scores(array: np.ndarray) -> np.ndarray | None:
    """``array`` as float64 [batch, C] if it can be class scores ([batch, C], or with dimensions of 1), else None."""
    if array.dtype.kind != "f" or array.ndim < 2 or array.size == 0:
        return None
    if array.ndim > 2 and array.size != array.shape[0] * max(array.shape[1:]):
        return None
    flat = array.reshape(array.shape[0], -1).astype(np.float64)
    return flat if flat.shape[1] >= 2 else None


def is_distribution(rows: np.ndarray) -> bool:
    """Whether every row of [batch, C] is non-negative and sums to one."""
    sums = rows.sum(axis=1)
    return bool(np.isfinite(rows).all() and rows.min() >= 0 and np.abs(sums - 1).max() < _SUM_TOLERANCE)


def find_classes(arrays: Sequence[np.ndarray]) -> Classes | None:
    """The output that scores classes: a distribution if there is one, else the only output of floats.

    Args:
        arrays: the outputs for one batch of distinct images.
    """
    arrays = [np.asarray(array) for array in arrays]
    candidates = []
    for index, array in enumerate(arrays):
        rows = scores(array)
        if rows is not None:
            candidates.append(Classes(index, rows.shape[1], is_distribution(rows)))
    distributions = [found for found in candidates if found.probabilities]
    if distributions:
        return max(distributions, key=lambda found: found.count)
    # a detector gives several arrays of floats: none of them is a row of classes per image
    floats = sum(array.dtype.kind == "f" for array in arrays)
    return candidates[0] if candidates and floats == 1 else None


@dataclass(frozen=True)
class Labelling:
    """What the labels of samples mean.

    Attributes:
        classes: how many classes are numbered from 0 on, as class folders are; 0 where that is not so.
        numbered: whether labels are numbers of which nobody says whether they count a background class.
    """

    classes: int = 0
    numbered: bool = False

    def offsets(self, outputs: int) -> tuple[int, ...]:
        """What may have to be added to a label to get the number of the output; the likeliest first.

        Class folders tell by their number: 0, or 1 where the graph's class 0 is the background. Numbers may
        also count a background class that the graph does not have. Empty: the labels do not fit, or there are none.
        """
        if self.numbered:
            return (0, 1, -1)
        if self.classes < 2:
            return ()
        return tuple(offset for offset in (0, 1) if self.classes + offset == outputs)


def best_offset(labelling: Labelling, outputs: int, labels: Sequence[int | None], answers: np.ndarray) -> int | None:
    """The offset (see Labelling) with which an FP32 graph is right most often; None: none fits.

    Args:
        outputs: how many classes the graph tells apart.
        labels: of the images; None where one has none.
        answers: int [images], the graph's best class for each.
    """
    known = [label for label in labels if label is not None]
    if len(known) < len(labels) or not known:
        return None
    fitting = [
        offset for offset in labelling.offsets(outputs) if min(known) + offset >= 0 and max(known) + offset < outputs
    ]
    return max(fitting, key=lambda offset: int((answers == np.array(known) + offset).sum()), default=None)


def correct(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the best score of each row [batch, C] is that of its label [batch]: bool [batch]."""
    return np.argmax(rows, axis=1) == labels


def log_scores(rows: np.ndarray, probabilities: bool) -> np.ndarray:
    """Centred log-softmax of rows [batch, C]: what is left of logits when a constant per row does not count."""
    if probabilities:
        rows = np.log(np.maximum(rows, np.finfo(np.float32).tiny))
    return rows - rows.mean(axis=1, keepdims=True)

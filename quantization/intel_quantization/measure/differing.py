"""The samples on which the answers of two graphs differ most."""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from intel_quantization.comparison.comparison import own_rows
from intel_quantization.data import class_scores
from intel_quantization.data.thumbnail import Thumbnails

MOST = 10
_TINY = 1e-30


@dataclass(frozen=True)
class Differs:
    """A sample.

    Attributes:
        name: of its file, or what it is called where it is in none.
        noise: the power of the error of its outputs as a share of theirs, the mean over the outputs.
        other: whether INT8 gives another answer, for graphs whose answer is a class.
        fp32, int8: the answers in words; empty where they are no classes.
        label: what is right; None where that is not known or no class.
        jpeg: a small picture of what was fed; None where that is none, or none was wanted.
    """

    name: str
    noise: float
    other: bool
    fp32: str
    int8: str
    label: int | None
    jpeg: bytes | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the picture."""
        return {
            "name": self.name,
            "noise": self.noise,
            "other": self.other,
            "fp32": self.fp32,
            "int8": self.int8,
            "label": self.label,
        }


class Differing:
    """Keeps the MOST samples that differ most: other answers first, then by the noise of the outputs.

    Args:
        thumbnails: makes pictures; None: none.
        flipped: whether the channels of what is fed are blue, green, red.
    """

    def __init__(self, thumbnails: Thumbnails | None = None, flipped: bool = False) -> None:
        self._thumbnails = thumbnails
        self._flipped = flipped
        self._kept: list[tuple[tuple[bool, float, int], Differs]] = []  # a heap, the least first
        self._count = 0

    def add(
        self,
        before: list[np.ndarray],
        after: list[np.ndarray],
        images: Sequence[Any],
        feed: dict[str, np.ndarray],
        fed: int,
    ) -> None:
        """The outputs of both graphs for a batch of ``fed`` rows, the samples that it holds, and what was fed."""
        count = len(images)
        fp32, int8 = (own_rows(each, count, fed) for each in (before, after))
        noise = _measure_noise(fp32, int8, count)
        classes = class_scores.find_classes(before)
        answers = None if classes is None else [_tell_answers(each[classes.index]) for each in (fp32, int8)]
        if answers is not None and any(len(each) != count for each in answers):
            answers = None
        for number, image in enumerate(images):
            one, two = ("", "") if answers is None else (answers[0][number], answers[1][number])
            other = one.partition(" ")[0] != two.partition(" ")[0]
            self._count += 1
            order = (other, float(noise[number]), -self._count)  # of equals, the first
            if len(self._kept) == MOST and order <= self._kept[0][0]:
                continue
            label = image.label if isinstance(image.label, int) else None
            found = Differs(
                os.path.basename(image.path), order[1], other, one, two, label, self._make_picture(feed, number, fed)
            )
            (heapq.heappush if len(self._kept) < MOST else heapq.heapreplace)(self._kept, (order, found))

    def _make_picture(self, feed: dict[str, np.ndarray], number: int, fed: int) -> bytes | None:
        if self._thumbnails is None:
            return None
        for value in feed.values():
            array = np.asarray(value)
            if array.ndim == 4 and array.shape[0] == fed:
                return self._thumbnails.jpeg(array[number], self._flipped)
        return None

    def finish(self) -> tuple[Differs, ...]:
        """Those that differ at all, the most different first."""
        found = [sample for _order, sample in sorted(self._kept, key=lambda pair: pair[0], reverse=True)]
        return tuple(sample for sample in found if sample.other or sample.noise > 0)


def _measure_noise(fp32: list[np.ndarray], int8: list[np.ndarray], count: int) -> np.ndarray:
    """[count]: over outputs that are numbers and of the same shape in both."""
    shares: list[Any] = []
    for wanted, given in zip(fp32, int8):
        if wanted.shape != given.shape or wanted.dtype.kind not in "fiu" or wanted.shape[:1] != (count,):
            continue
        rows = [each.reshape(count, -1).astype(np.float64) for each in (wanted, given)]
        power = np.square(rows[0]).mean(axis=1)
        shares.append(np.square(rows[1] - rows[0]).mean(axis=1) / (power + _TINY if power.any() else 1.0))
    return np.mean(shares, axis=0) if shares else np.zeros(count)


def _tell_answers(array: np.ndarray) -> list[str]:
    """``class (score)`` of each row."""
    rows = class_scores.scores(array)
    if rows is None:
        return []
    best = rows.argmax(axis=1)
    return [f"{one} ({row[one]:.2f})" for one, row in zip(best.tolist(), rows)]

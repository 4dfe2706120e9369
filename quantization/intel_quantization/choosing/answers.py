"""What the outputs of a graph say of images, as far as they tell classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from intel_quantization.data import class_scores

_MOST_PLACES = 64


@dataclass(frozen=True)
class Answers:
    """Of some images.

    Attributes:
        scores: of classes, float64 [images, C]; None where no output scores classes.
        distributions: ``scores`` where they are such, or those of some places of each image, as a segmentation or a
            line of text has them: [images, C] or [images, places, C]; None: no output is one.
    """

    scores: Optional[np.ndarray] = None
    distributions: Optional[np.ndarray] = None

    def take(self, images: Sequence[int]) -> Answers:
        """Those of some of the images only."""
        parts = (None if part is None else part[list(images)] for part in (self.scores, self.distributions))
        return Answers(*parts)

    @property
    def useful(self) -> bool:
        """Whether there is anything."""
        return self.scores is not None or self.distributions is not None


def answers_of(values: Sequence[np.ndarray], count: int) -> Answers:
    """What the outputs of one batch say of its first ``count`` images."""
    arrays = [np.asarray(value) for value in values]
    classes = class_scores.find_classes(arrays)
    if classes is not None:
        rows = class_scores.scores(arrays[classes.index])
        if rows is None:  # an empty array: a detector that found nothing
            return Answers()
        return Answers(rows[:count], rows[:count] if classes.probabilities else None)
    places = (_find_places(array[:count]) for array in arrays if array.ndim)
    return Answers(None, next((found for found in places if found is not None), None))


def _find_places(array: np.ndarray) -> Optional[np.ndarray]:
    """Distributions at some places of each image, [images, places, C]; None where the array holds none."""
    if array.dtype.kind != "f" or array.ndim < 3 or array.shape[-1] < 2 or not array.size:
        return None
    rows = array.reshape(len(array), -1, array.shape[-1])
    rows = rows[:, :: -(-rows.shape[1] // _MOST_PLACES)].astype(np.float64)
    return rows if class_scores.is_distribution(rows.reshape(-1, rows.shape[-1])) else None


def joined(given: Sequence[Answers]) -> Answers:
    """All batches together; nothing where they differ in kind."""
    scores = [each.scores for each in given if each.scores is not None]
    spread = [each.distributions for each in given if each.distributions is not None]
    return Answers(
        np.concatenate(scores) if given and len(scores) == len(given) else None,
        np.concatenate(spread) if given and len(spread) == len(given) else None,
    )

"""Boxes [samples, anchors, 4] and class scores [samples, anchors, classes] ahead of suppression, as SSD-ResNet34's."""

from __future__ import annotations

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.detections import Detections, Found, Members


class Anchors(Detections):
    """Each anchor is a box; the class that most anchors have is the background, where scores are distributions.

    Args:
        names: of the boxes and of the scores, in the order of the arrays.
        boxes, scores: which of the arrays is what.
        background: whether one of the classes is the background.
    """

    kind = "anchors"

    def __init__(self, names: tuple[str, ...], boxes: int, scores: int, background: bool) -> None:
        super().__init__(names, Members(boxes, scores))
        self._background = background
        self._empty: int | None = None

    def images(self, arrays: list[np.ndarray]) -> list[Found]:
        """What is found in each image of a batch, before suppression."""
        scores = np.array(arrays[self._members.scores], np.float32)
        if self._background:
            if self._empty is None:
                self._empty = int(np.bincount(scores.argmax(axis=-1).reshape(-1)).argmax())
            scores[..., self._empty] = 0.0
        result = []
        for boxes, rows in zip(arrays[self._members.boxes], scores):
            best = rows.max(axis=-1)
            order = np.argsort(-best, kind="stable")
            order = order[best[order] >= thresholds.LEAST_SURE / 2][:400]
            result.append(Found(boxes[order], best[order], rows.argmax(axis=-1)[order]))
        return result

"""COCO's average precision, by its definition: of boxes that are found, matched with those that are labelled.

AP is the mean over classes and over ten overlaps (IoU 0.50 to 0.95) of the mean precision at 101 recalls. Written here
rather than taken from pycocotools, whose compiled part has no wheel for every Python of the TensorFlow variants; a test
compares with figures of pycocotools. Areas are not told apart, which is COCO's first figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from intel_quantization.data.truth import Boxes

OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST = 100  # boxes of one class in one image
_NEARLY = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class Detected:
    """What a graph finds in one image: boxes [n, 4] as in Boxes, scores [n], classes [n]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Matched:
    """The found boxes of one graph in all images, each right, wrong, or neither, at each overlap.

    Args:
        truths: of all images.
        found: of the same images.
        classes: that count.
    """

    def __init__(self, truths: Sequence[Boxes], found: Sequence[Detected], classes: Sequence[int]) -> None:
        self._images = len(truths)
        self._parts = [part for part in (self._gather(truths, found, each) for each in classes) if part is not None]

    def _gather(self, truths: Sequence[Boxes], found: Sequence[Detected], which: int) -> tuple[Any, ...] | None:
        objects = np.zeros(len(truths))
        scores, images, hits, counted = [], [], [], []
        for number, (truth, given) in enumerate(zip(truths, found)):
            mine = truth.classes == which
            objects[number] = (mine & ~truth.crowd).sum()
            chosen = np.flatnonzero(given.classes == which)
            chosen = chosen[np.argsort(-given.scores[chosen], kind="stable")][:_MOST]
            if len(chosen):
                hit, ignored = match(given.boxes[chosen], truth.boxes[mine], truth.crowd[mine])
                scores.append(given.scores[chosen])
                images.append(np.full(len(chosen), number))
                hits.append(hit)
                counted.append(~ignored)
        if not objects.any():
            return None
        if not scores:
            return objects, np.zeros(0, int), np.zeros((10, 0), bool), np.zeros((10, 0), bool)
        order = np.argsort(-np.concatenate(scores), kind="stable")
        return (
            objects,
            np.concatenate(images)[order],
            np.concatenate(hits, axis=1)[:, order],
            np.concatenate(counted, axis=1)[:, order],
        )

    @property
    def size(self) -> int:
        """How many found boxes there are."""
        return sum(len(images) for _objects, images, _hits, _counted in self._parts)

    def precision(self, weights: np.ndarray | None = None) -> np.ndarray:
        """AP in percent, for each row of weights [resamples, images]: how often each image counts; None: once."""
        if weights is None:
            weights = np.ones((1, self._images))
        sums, classes = np.zeros(len(weights)), np.zeros(len(weights))
        for objects, images, hits, counted in self._parts:
            there = weights @ objects
            each = weights[:, images]
            total = np.zeros(len(weights))
            for hit, count in zip(hits, counted):
                right = np.cumsum(each * (hit & count), axis=1)
                wrong = np.cumsum(each * (~hit & count), axis=1)
                total += _mean_precision(right, wrong, there)
            known = there > 0
            sums += np.where(known, total / len(OVERLAPS), 0.0)
            classes += known
        return 100.0 * sums / np.maximum(classes, 1)


def _mean_precision(right: np.ndarray, wrong: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Mean precision at the recalls, of counts [resamples, boxes] in the order of scores."""
    result = np.zeros(len(objects))
    if not right.shape[1]:
        return result
    precision = right / np.maximum(right + wrong, np.finfo(float).tiny)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    for row, there in enumerate(objects):
        if there > 0:
            places = np.searchsorted(right[row] / there, _RECALLS, side="left")
            inside = places < right.shape[1]
            result[row] = precision[row, places[inside]].sum() / len(_RECALLS)
    return result


def match(found: np.ndarray, boxes: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which found boxes are right at each overlap, and which are neither right nor wrong: bool [overlaps, found].

    The surest takes the box that it overlaps best of those that are left; of crowds any number may be found.

    Args:
        found: of one class in one image, the surest first.
        boxes: labelled ones of the class.
        crowd: which of these are of crowds.
    """
    hits = np.zeros((len(OVERLAPS), len(found)), bool)
    ignored = np.zeros_like(hits)
    if not len(boxes):
        return hits, ignored
    overlaps = overlap(found, boxes, crowd)
    for level, least in enumerate(OVERLAPS):
        taken = np.zeros(len(boxes), bool)
        for number in range(len(found)):
            free = np.where(taken & ~crowd, -1.0, overlaps[number])
            alone = np.where(crowd, -1.0, free)
            best = int(len(alone) - 1 - alone[::-1].argmax())  # of equals, COCO's own takes the last
            if alone[best] < min(least, _NEARLY):
                shared = np.where(crowd, free, -1.0)
                best = int(shared.argmax())
                if shared[best] < min(least, _NEARLY):
                    continue
                ignored[level, number] = True
            hits[level, number] = taken[best] = True
    return hits, ignored


def overlap(found: np.ndarray, boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU [found, boxes]; of crowds, the share of the found box that lies in it."""
    low = np.maximum(found[:, np.newaxis, :2], boxes[np.newaxis, :, :2])
    high = np.minimum(found[:, np.newaxis, 2:], boxes[np.newaxis, :, 2:])
    common = np.maximum(high - low, 0.0).prod(axis=2)
    areas = [np.maximum(each[:, 2:] - each[:, :2], 0.0).prod(axis=1) for each in (found, boxes)]
    union = np.where(crowd[np.newaxis], areas[0][:, np.newaxis], areas[0][:, np.newaxis] + areas[1] - common)
    return common / np.where(union > 0, union, 1.0)

"""Boxes with scores and classes: which of FP32's INT8 finds again, matched by overlap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.bounds import share_bounds
from intel_quantization.comparison.degenerate import nothing, same_answer
from intel_quantization.comparison.findings import Concern, Findings, judge

_MOST = 100  # boxes of an image that count, the surest first


@dataclass(frozen=True)
class Members:
    """Which of a graph's outputs belong together: indices; ``classes`` and ``counts`` may be missing."""

    boxes: int
    scores: int
    classes: int | None = None
    counts: int | None = None


@dataclass(frozen=True)
class Found:
    """What a graph finds in one image, the surest first: boxes [n, 4], scores [n], classes [n]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    def above(self, least: float) -> Found:
        """Those of a score from ``least`` on."""
        sure = self.scores >= least
        return Found(self.boxes[sure], self.scores[sure], self.classes[sure])


class Detections:
    """What detectors give behind their non-maximum suppression.

    Args:
        names: of all outputs that belong to it, as in ``members``.
        members: which of the arrays given to ``add`` is what.
    """

    kind = "detections"

    def __init__(self, names: tuple[str, ...], members: Members) -> None:
        self._names = names
        self._members = members
        self._pairs: list[tuple[Found, Found]] = []

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        self._pairs.extend(zip(self.images(fp32), self.images(int8)))

    def images(self, arrays: list[np.ndarray]) -> list[Found]:
        """What is found in each image of a batch, of the arrays that are this detector's."""
        members = self._members
        boxes, scores = arrays[members.boxes], arrays[members.scores]
        scores = scores.reshape(scores.shape[0], -1)
        boxes = boxes.reshape(boxes.shape[0], -1, 4)
        classes = np.zeros(scores.shape) if members.classes is None else arrays[members.classes].reshape(scores.shape)
        result = []
        for index in range(len(scores)):
            count = scores.shape[1]
            if members.counts is not None:
                count = min(count, int(arrays[members.counts].reshape(-1)[index]))
            order = np.argsort(-scores[index, :count], kind="stable")[:_MOST]
            result.append(Found(boxes[index][order], scores[index][order], classes[index][order].astype(np.int64)))
        return result

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._pairs:
            return None
        count = len(self._pairs)
        least = sure_enough([before.scores for before, _ in self._pairs])
        if least is None:
            concerns = nothing("finds nothing that it is sure of", count)
            text = f"FP32 finds no box with a score of {thresholds.LEAST_SURE} or more"
            return Findings(self._names, self.kind, count, text, {"boxes_fp32": 0.0}, concerns)
        again = [match(before.above(least), after.above(least / 2)) for before, after in self._pairs]
        back = [match(after.above(least), before.above(least / 2)) for before, after in self._pairs]
        sure = [before.above(least) for before, _ in self._pairs]
        # finding nothing in most images is all right
        keys = [_round(found) if len(found.scores) else index for index, found in enumerate(sure)]
        alike = same_answer(keys, thresholds.MANY_CLASSES, "the same boxes")
        findings = self._tell_findings(least, again, back)
        return replace(findings, concerns=findings.concerns + alike)

    def _tell_findings(self, least: float, again: list[Any], back: list[Any]) -> Findings:
        found, known = _share(again), _share(back)
        overlaps = np.concatenate([each[1] for each in again])
        scores = np.concatenate([each[2] for each in again])
        boxes = sum(len(each[0]) for each in again)
        overlap = 100.0 * float(overlaps.mean()) if len(overlaps) else 0.0
        difference = float(np.abs(scores).mean()) if len(scores) else 0.0
        figures = {
            "least_score": least,
            "boxes_fp32": float(boxes),
            "found_again": found,
            "known_to_fp32": known,
            "mean_iou": overlap,
            "score_difference": difference,
        }
        text = (
            f"{found:.1f} % of FP32's {boxes} boxes (score >= {least:.2g}) found again at IoU >= 0.5 with their class, "
            f"mean IoU {overlap:.1f} %, mean score difference {difference:.3f}; {known:.1f} % of INT8's are FP32's"
        )
        concerns = _judge(again, found, f"INT8 finds only {found:.1f} % of FP32's {boxes} boxes again")
        if not concerns:
            concerns = _judge(back, known, f"only {known:.1f} % of INT8's boxes are boxes of FP32")
        return Findings(self._names, self.kind, len(again), text, figures, concerns)


def _round(found: Found) -> bytes:
    """The same for detections that differ by rounding only."""
    size = max(float(np.abs(found.boxes).max()), 1e-9)
    return found.classes.tobytes() + np.rint(100 * found.boxes / size).astype(np.int64).tobytes()


def _share(matches: list[Any]) -> float:
    hits = np.concatenate([each[0] for each in matches])
    return 100.0 * float(hits.mean()) if len(hits) else 100.0


def _judge(matches: list[Any], share: float, what: str) -> tuple[Concern, ...]:
    # boxes of one image fail together, so that the images are what is counted
    images = sum(1 for each in matches if len(each[0]))
    if images < thresholds.FEWEST_ANSWERS:
        return ()
    return judge(share, 100 * share_bounds(share / 100 * images, images)[1], thresholds.BOXES, what)


def sure_enough(scores: list[np.ndarray]) -> float | None:
    """From which score on boxes count: 0.5, or less for a graph that is seldom so sure; None if it never is.

    Args:
        scores: of each image, of the FP32 graph.
    """
    best = np.sort([each.max() if len(each) else 0.0 for each in scores])[::-1]
    typical = float(best[(len(best) - 1) // 2])  # half of the images are to have a box that counts
    least = min(thresholds.SURE, max(typical, thresholds.LEAST_SURE))
    return least if len(best) and best[0] >= least else None


def match(wanted: Found, given: Found) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each wanted box is among the given ones; the overlaps and score differences of those that are.

    Each given box is taken once, by the surest wanted box of its class that it overlaps best.
    """
    overlaps = iou(wanted.boxes, given.boxes)
    overlaps[wanted.classes[:, np.newaxis] != given.classes[np.newaxis]] = 0.0
    hits = np.zeros(len(wanted.scores), bool)
    matched: list[float] = []
    differences: list[float] = []
    for index in range(len(hits)):
        if not len(given.scores):
            break
        best = int(overlaps[index].argmax())
        if overlaps[index, best] < 0.5:
            continue
        hits[index] = True
        matched.append(float(overlaps[index, best]))
        differences.append(float(wanted.scores[index] - given.scores[best]))
        overlaps[:, best] = 0.0
    return hits, np.array(matched), np.array(differences)


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [n, 4] and [m, 4], two opposite corners each: [n, m]."""
    first, second = (_order(boxes.astype(np.float64)) for boxes in (first, second))
    low = np.maximum(first[:, np.newaxis, :2], second[np.newaxis, :, :2])
    high = np.minimum(first[:, np.newaxis, 2:], second[np.newaxis, :, 2:])
    common = np.maximum(high - low, 0.0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, np.newaxis] + areas[1][np.newaxis] - common
    return common / np.where(union > 0, union, 1.0)


def _order(boxes: np.ndarray) -> np.ndarray:
    corners = boxes.reshape(-1, 2, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

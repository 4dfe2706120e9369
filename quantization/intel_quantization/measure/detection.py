"""COCO AP of both graphs' detections on labelled images."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from intel_quantization.comparison.anchors import Anchors
from intel_quantization.comparison.detections import Detections
from intel_quantization.data.truth import Boxes
from intel_quantization.measure.average_precision import Detected, Matched, overlap
from intel_quantization.measure.bootstrap import RESAMPLES, interval
from intel_quantization.measure.paired import BOOTSTRAP, Paired

_LEAST_RESAMPLES = 200
_MOST_WORK = 20_000_000  # boxes times resamples
_PIXELS = 2.0  # coordinates above are no shares of the image
_SAME = 0.5  # the overlap from which on the less sure of two boxes is dropped
_LEAST_SCORE = 0.5  # of a box that tells what its class is called
_SURE = 0.5  # the overlap from which on a box is the labelled one
_TOLD = 4  # classes
_FEWEST = 3  # sure boxes of a class that tell which label it is
_CONTRADICTED = 1 / 3  # of the classes, from which on a numbering is not the graph's
_FEW = 1 / 3  # of the labels' classes: a graph that gives no more than so many has classes of its own
_MOSTLY = 0.5  # of the sure boxes of a class, which have to be of one label


class AveragePrecision:
    """Gathers what both graphs find, and how classes of the graph and of the labels are numbered.

    Args:
        indices: of the detector's outputs.
        comparer: that knows which of them is what.
        size: height and width of the input; some graphs give boxes in its pixels.
    """

    def __init__(self, indices: tuple[int, ...], comparer: Detections, size: tuple[int, int]) -> None:
        self._indices = indices
        self._comparer = comparer
        self._size = size
        self._truths: list[Boxes] = []
        self._found: tuple[list[Detected], list[Detected]] = ([], [])

    def add(self, before: Sequence[np.ndarray], after: Sequence[np.ndarray], images: Sequence[Any]) -> None:
        """The outputs of both graphs for a batch, and its samples, whose truth is Boxes."""
        found = [
            self._comparer.images([np.asarray(each[index]) for index in self._indices]) for each in (before, after)
        ]
        for number, image in enumerate(images):
            if isinstance(image.truth, Boxes) and all(len(each) > number for each in found):
                self._truths.append(image.truth)
                for mine, each in zip(self._found, found):
                    one = each[number]
                    boxes = _as_shares(one.boxes, self._size)
                    kept = self._choose_kept(boxes, one.classes)
                    mine.append(Detected(boxes[kept], one.scores[kept], one.classes[kept]))

    def _choose_kept(self, boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Indices of what is left after suppression: of a graph that gives its anchors, that is done here."""
        if not isinstance(self._comparer, Anchors):
            return np.arange(len(boxes))
        near = overlap(boxes, boxes, np.zeros(len(boxes), bool)) > _SAME
        near &= classes[:, np.newaxis] == classes[np.newaxis]
        kept: list[int] = []
        for number in range(len(boxes)):
            if not near[number, kept].any():
                kept.append(number)
        return np.array(kept, int)

    def finish(self) -> Paired | None:
        """None where no image had labels."""
        count = len(self._truths)
        if not count:
            return None
        turned = [[_turn(each) for each in found] for found in self._found]
        best = max((self._found, turned), key=lambda found: _find_hits(self._truths, found[0]).sum())
        fitting, classes, unknown = numbering(self._truths, best[0])
        known = len(classes) / (len(classes) + len(unknown))  # what finds nothing that is labelled counts 0
        matched = [Matched(self._truths, [_rename(each, fitting) for each in found], classes) for found in best]
        work = sum(each.size for each in matched) * 10
        resamples = int(np.clip(_MOST_WORK // max(work, 1), _LEAST_RESAMPLES, RESAMPLES))
        fp32, int8 = (known * float(each.precision()[0]) for each in matched)
        differing = sum(not np.array_equal(first.scores, second.scores) for first, second in zip(*best))
        low, high = interval(
            lambda weights: known * (matched[0].precision(weights) - matched[1].precision(weights)),
            count,
            100.0,
            differing,
            resamples,
        )
        return Paired("COCO AP", fp32, int8, fp32 - int8, low, high, count, BOOTSTRAP + _told(fitting, unknown))


def _told(names: dict[int, int], unknown: list[int]) -> str:
    """Which labels the classes were taken for, where their numbers are not those of the labels."""
    if all(number == label for number, label in names.items()) and not unknown:
        return ""
    pairs = [f"{number} = {label}" for number, label in sorted(names.items())[:_TOLD]]
    pairs += [f"{number} unknown, counts 0" for number in unknown[:_TOLD]]
    return f"; classes by their boxes: {', '.join(pairs)}"


def numbering(truths: Sequence[Boxes], found: Sequence[Detected]) -> tuple[dict[int, int], list[int], list[int]]:
    """What the graph's classes are in the labels: by number, or in order from 1 or 0, or as FP32's boxes tell.

    Returns:
        The label of each class of the graph; the labels that count: all, or those that the graph knows; and the classes
        of a graph with few of its own that no label could be found for: no sure box of theirs is a labelled one.
    """
    labels = sorted({int(each) for truth in truths for each in truth.classes})
    hits = _find_hits(truths, found)
    candidates = [{number: number for number in labels}]
    candidates += [{start + place: label for place, label in enumerate(labels)} for start in (1, 0)]
    given = sorted({int(number) for each in found for number in each.classes})
    if len(given) <= len(labels) * _FEW:
        counted = {number: label for number, label in _count(hits, 1).items() if _is_mostly(hits, number, label)}
        if counted:
            return counted, sorted(set(counted.values())), [number for number in given if number not in counted]
    best = max(candidates, key=lambda names: _count_right(hits, names))
    counted = _count(hits, _FEWEST)
    wrong = [number for number, label in counted.items() if _count_often(hits, number, best) < hits[number, label] / 2]
    if len(wrong) > len(counted) * _CONTRADICTED:
        return counted, sorted(set(counted.values())), []
    return best, labels, []


def _count(hits: np.ndarray, fewest: int) -> dict[int, int]:
    """The label that each class of the graph is most often, for those that are often enough; no label twice."""
    names: dict[int, int] = {}
    for number, label in sorted(np.argwhere(hits >= fewest).tolist(), key=lambda pair: -hits[pair[0], pair[1]]):
        if number not in names and label not in names.values():
            names[number] = label
    return names


def _is_mostly(hits: np.ndarray, number: int, label: int) -> bool:
    return bool(hits[number, label] > _MOSTLY * hits[number].sum())


def _count_often(hits: np.ndarray, number: int, names: dict[int, int]) -> int:
    label = names.get(number, -1)
    return int(hits[number, label]) if 0 <= label < hits.shape[1] else 0


def _count_right(hits: np.ndarray, names: dict[int, int]) -> int:
    return sum(int(hits[number, label]) for number, label in names.items() if number < hits.shape[0])


def _find_hits(truths: Sequence[Boxes], found: Sequence[Detected]) -> np.ndarray:
    """How often a box that is found for sure is a labelled one of some class: [classes of the graph, labels].

    Of the many that a graph is not sure of, some are anything.
    """
    graph = 1 + max((int(each.classes.max(initial=0)) for each in found), default=0)
    label = 1 + max((int(truth.classes.max(initial=0)) for truth in truths), default=0)
    table = np.zeros((graph, label), np.int64)
    for truth, each in zip(truths, found):
        if len(truth.boxes) and len(each.boxes):
            near = overlap(each.boxes, truth.boxes, truth.crowd)
            best = near.argmax(axis=1)
            least = min(_LEAST_SCORE, float(each.scores.max()))
            sure = (near[np.arange(len(best)), best] >= _SURE) & (each.scores >= least)
            np.add.at(table, (each.classes[sure], truth.classes[best[sure]]), 1)
    return table


def _rename(found: Detected, names: dict[int, int]) -> Detected:
    classes = np.array([names.get(int(each), -1) for each in found.classes], np.int64)
    return Detected(found.boxes, found.scores, classes)


def _as_shares(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64)
    return boxes / np.array([*size, *size], np.float64) if np.abs(boxes).max(initial=0.0) > _PIXELS else boxes


def _turn(found: Detected) -> Detected:
    """Left, top, right, bottom as top, left, bottom, right."""
    return Detected(found.boxes[:, [1, 0, 3, 2]], found.scores, found.classes)

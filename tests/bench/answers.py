"""What a graph answers for each sample, and how good the answers are: in points of 100, higher is better.

A measure keeps only what it needs of the outputs. Classes and lines of text are right or wrong by their labels; a
detector has its AP; a segmentation and landmarks are compared with the FP32 graph, which has 100 by definition.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from real_data import Samples
from real_graphs import SHARED, Case

Answers = dict[int, Any]
_CLASSES = 21  # of the segmentation
_SPACE = 6624  # the last class of the text recognition


class Measure(Protocol):
    """How the answers of a graph are judged.

    Attributes:
        title: what the points are.
        also: what ``second`` tells.
        groups: how many parts of the samples are left out, one after the other, to know how sure a score is.
    """

    title: str
    also: str
    groups: int

    def reduce(self, outputs: list[np.ndarray], rows: Sequence[int]) -> list:
        """The answer to each row of a batch."""

    def begin(self, reference: Answers) -> None:
        """Called once with the answers of the FP32 graph to all samples."""

    def score(self, given: Answers, rows: Sequence[int]) -> float:
        """Points of some rows."""

    def second(self, given: Answers, rows: Sequence[int]) -> float:
        """Another figure."""


class Top1:
    """Percent of the right class."""

    title, also, groups = "top-1", "same answer %", 50

    def __init__(self, case: Case, samples: Samples) -> None:
        self._labels = np.array(samples.labels) + case.offset

    def reduce(self, outputs, rows):
        return outputs[0].reshape(len(outputs[0]), -1)[: len(rows)].argmax(axis=1).tolist()

    def begin(self, reference):
        self._reference = reference

    def score(self, given, rows):
        return 100 * float(np.mean([given[row] == self._labels[row] for row in rows]))

    def second(self, given, rows):
        return 100 * float(np.mean([given[row] == self._reference[row] for row in rows]))


class Overlap:
    """Mean IoU of class maps against FP32, over the classes that either has."""

    title, also, groups = "mean IoU to FP32", "same pixels %", 32

    def __init__(self, _case: Case, _samples: Samples) -> None:
        self._tables: dict[int, tuple[Any, np.ndarray]] = {}

    def reduce(self, outputs, rows):
        return list(outputs[0].astype(np.uint8))[: len(rows)]

    def begin(self, reference):
        self._reference = reference

    def score(self, given, rows):
        table = self._table(given, rows)
        both = np.diag(table)
        either = table.sum(axis=0) + table.sum(axis=1) - both
        return 100 * float((both[either > 0] / either[either > 0]).mean())

    def second(self, given, rows):
        table = self._table(given, rows)
        return 100 * float(np.trace(table) / table.sum())

    def _table(self, given, rows) -> np.ndarray:
        return np.sum([self._one(given, row) for row in rows], axis=0)

    def _one(self, given, row) -> np.ndarray:
        known = self._tables.get((id(given), row))
        if known is None or known[0] is not given:
            pairs = self._reference[row].astype(np.int64).ravel() * _CLASSES + given[row].ravel()
            known = given, np.bincount(pairs, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)
            self._tables[id(given), row] = known
        return known[1]


class Lines:
    """Percent of lines of text read without a mistake, by greedy CTC decoding.

    Spaces around a line do not count. Which number is which character is learned from what the FP32 graph reads in
    lines of the right length, the dictionary being no part of the graph.
    """

    title, also, groups = "lines right", "character errors %", 50

    def __init__(self, _case: Case, samples: Samples) -> None:
        self._texts = samples.labels

    def reduce(self, outputs, rows):
        best = outputs[0].argmax(axis=2)[: len(rows)]
        return [tuple(int(a) for a, b in zip(line, (0, *line), strict=False) if a and a != b) for line in best]

    def begin(self, reference):
        votes: dict[int, Counter] = {}
        for row, raw in reference.items():
            numbers = _trimmed(raw)
            if len(numbers) == len(self._texts[row]):
                for number, character in zip(numbers, self._texts[row], strict=True):
                    votes.setdefault(number, Counter())[character] += 1
        self._characters = {number: counter.most_common(1)[0][0] for number, counter in votes.items()}

    def read(self, numbers: Sequence[int]) -> str:
        """The text; a character that no line of the right length had is a box."""
        return "".join(self._characters.get(number, "\u25a1") for number in _trimmed(numbers))

    def score(self, given, rows):
        return 100 * float(np.mean([self.read(given[row]) == self._texts[row] for row in rows]))

    def second(self, given, rows):
        errors = sum(_distance(self.read(given[row]), self._texts[row]) for row in rows)
        return 100 * errors / sum(len(self._texts[row]) for row in rows)


def _trimmed(numbers: Sequence[int]) -> Sequence[int]:
    """A line without the spaces around it."""
    inner = [place for place, number in enumerate(numbers) if number != _SPACE]
    return numbers[inner[0] : inner[-1] + 1] if inner else ()


def _distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements between two texts."""
    before = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        row = [number]
        for place, wanted in enumerate(other, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (character != wanted)))
        before = row
    return before[-1]


class Landmarks:
    """100 less the mean shift of the landmarks in percent of the face's size, the side of a square of its area."""

    title, also, groups = "100 - landmark shift %", "largest shift of an image %", 50

    def __init__(self, _case: Case, _samples: Samples) -> None:
        pass

    def reduce(self, outputs, rows):
        return list(outputs[0].reshape(len(outputs[0]), -1, 3)[: len(rows), :, :2])

    def begin(self, reference):
        self._reference = reference

    def score(self, given, rows):
        return 100 - float(np.mean([self._shift(given, row) for row in rows]))

    def second(self, given, rows):
        return max(self._shift(given, row) for row in rows)

    def _shift(self, given, row) -> float:
        wanted = self._reference[row]
        size = float(np.sqrt(np.prod(wanted.max(axis=0) - wanted.min(axis=0))))
        return 100 * float(np.linalg.norm(given[row] - wanted, axis=1).mean()) / size


class Scores:
    """100 less the error of logits, or of the logarithms of scores, about their mean over the classes, in percent."""

    title, also, groups = "100 - error of the scores %", "same best %", 32

    def __init__(self, _case: Case, _samples: Samples) -> None:
        pass

    def reduce(self, outputs, rows):
        values = np.asarray(outputs[0], np.float64).reshape(len(outputs[0]), -1)[: len(rows)]
        if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=1e-2):
            values = np.log(np.maximum(values, 1e-30))
        return list(values - values.mean(axis=1, keepdims=True))

    def begin(self, reference):
        self._reference = reference

    def score(self, given, rows):
        wanted = np.stack([self._reference[row] for row in rows])
        error = np.stack([given[row] for row in rows]) - wanted
        return 100 - 100 * float(np.sqrt(np.square(error).sum() / np.square(wanted).sum()))

    def second(self, given, rows):
        return 100 * float(np.mean([given[row].argmax() == self._reference[row].argmax() for row in rows]))


class AveragePrecision:
    """COCO AP, IoU 0.50 to 0.95."""

    title, also, groups = "COCO AP", "AP50", 16

    def __init__(self, case: Case, samples: Samples) -> None:
        import detection

        self._truth = detection.Truth(SHARED / "images" / "coco128_val_labels_instances.json", dict(case.categories))
        self._names = samples.names
        self._evaluated: dict[int, tuple[Any, Any]] = {}

    def reduce(self, outputs, rows):
        return [json.dumps(self._truth.found(self._names[row], outputs, place)) for place, row in enumerate(rows)]

    def begin(self, reference):
        pass

    def score(self, given, rows):
        return self._both(given, rows)[0]

    def second(self, given, rows):
        return self._both(given, rows)[1]

    def _both(self, given, rows) -> tuple[float, float]:
        known = self._evaluated.get(id(given))
        if known is None or known[0] is not given:
            found = [entry for answer in given.values() for entry in json.loads(answer)]
            known = self._evaluated[id(given)] = given, self._truth.evaluate(found)
        return known[1].ap([self._names[row] for row in rows])


_MEASURES = {
    "top1": Top1,
    "ap": AveragePrecision,
    "iou": Overlap,
    "lines": Lines,
    "landmarks": Landmarks,
    "scores": Scores,
}


def measure_of(case: Case, samples: Samples) -> Measure:
    """How a case is judged."""
    return _MEASURES[case.measure](case, samples)


def lost(measure: Measure, draws: Sequence[tuple[Answers, Answers, Sequence[int]]]) -> tuple[float, float]:
    """Points lost by other answers to the same samples, the mean over some draws, and half its 95 % interval.

    The interval is a jackknife over parts of the samples: what other samples, and the draws that come with them,
    would change.

    Args:
        draws: answers, those that may have lost, and the rows that count: those that did not calibrate.
    """
    rows = sorted({row for _, _, judged in draws for row in judged})
    count = min(measure.groups, len(rows))
    group = {row: number % count for number, row in enumerate(np.random.RandomState(0).permutation(rows).tolist())}

    def mean(without: int | None) -> float:
        losses = []
        for reference, given, judged in draws:
            left = [row for row in judged if group[row] != without]
            losses.append(measure.score(reference, left) - measure.score(given, left))
        return float(np.mean(losses))

    parts = np.array([mean(number) for number in range(count)])
    error = np.sqrt((count - 1) / count * np.square(parts - parts.mean()).sum())
    return mean(None), 1.96 * float(error)

"""What each output is, told by its name, type, shape, and by what FP32 gives for the first samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from intel_quantization import outputs
from intel_quantization.comparison.anchors import Anchors
from intel_quantization.comparison.answers import Answers
from intel_quantization.comparison.class_map import INTEGERS, MASK, ClassMap
from intel_quantization.comparison.decisions import Decisions
from intel_quantization.comparison.detections import Detections, Members
from intel_quantization.comparison.embedding import Embedding
from intel_quantization.comparison.scores import Scores
from intel_quantization.comparison.sequences import Sequences
from intel_quantization.comparison.values import Values

_API = {"boxes": "detection_boxes", "scores": "detection_scores", "classes": "detection_classes"}
_COUNTS = "num_detections"
_FEATURES = re.compile(r"embed|feature|descriptor|l2_?norm", re.IGNORECASE)
_LEAST_SIDE = 4  # of what may be a map of pixels
_UNIT = 1e-2  # of the length of a row of an embedding
_FEWEST_FEATURES = 16


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


def recognise(names, batches: list) -> list[Task]:
    """The comparers for a graph's outputs; each output is in at most one.

    Args:
        names: of the outputs.
        batches: of each of the first batches, what FP32 gives for each output.
    """
    found = [Output(index, name, tuple(batch[index] for batch in batches)) for index, name in enumerate(names)]
    found = [output for output in found if output.first.ndim and output.first.size]
    tasks = _detector(found)
    taken = {index for task in tasks for index in task.indices}
    rest = [output for output in found if output.index not in taken]
    widths = {
        output.first.shape[-1] for output in rest if output.first.dtype.kind == "f" and _distributions(output.first)
    }
    alone = sum(output.first.dtype.kind == "f" for output in found) == 1
    for output in rest:
        comparer = _comparer(output, alone or output.first.shape[-1] in widths)
        if comparer is not None:
            tasks.append(Task((output.index,), comparer))
    return tasks


def _comparer(output: Output, may_be_logits: bool) -> Any:
    """What compares one output that belongs to no detector; None where nothing can be said, as of texts."""
    array = output.first
    map_like = array.ndim in (3, 4) and min(array.shape[1:3]) >= _LEAST_SIDE
    if array.dtype.kind in "iub":
        return ClassMap(output.name, INTEGERS) if map_like else Answers(output.name)
    if array.dtype.kind != "f":
        return None
    rows = outputs.scores(array)
    if rows is not None:
        return _row_comparer(output, rows, may_be_logits)
    if array.size == len(array):
        within = _within_one(output)
        return Decisions(output.name) if within and _decided(output) else Values(output.name)
    if array.ndim == 4 and map_like:
        return _map_comparer(output)
    if array.ndim == 3 and _distributions(array):
        return Sequences(output.name)
    return Values(output.name)


def _row_comparer(output: Output, rows: np.ndarray, may_be_logits: bool) -> Any:
    whole = output.all()
    rows = rows if whole is None else whole.reshape(len(whole), -1)
    if outputs.is_distribution(rows):
        return Scores(output.name, True)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    if np.abs(lengths - 1).max() < _UNIT or _FEATURES.search(output.name):
        return Embedding(output.name)
    if _within_one(output) and _decided(output):
        return Decisions(output.name)
    if rows.shape[1] >= _FEWEST_FEATURES and rows.min() == 0:  # behind a ReLU; logits are not
        return Embedding(output.name)
    # logits are of both signs; what never is may be coordinates
    return Scores(output.name, False) if may_be_logits and rows.min() < 0 else Values(output.name)


def _map_comparer(output: Output) -> Any:
    array = output.first
    if 1 in (array.shape[1], array.shape[3]):
        return ClassMap(output.name, MASK) if _within_one(output) and _decided(output) else Values(output.name)
    for axis in (3, 1):
        if _distributions(np.moveaxis(array, axis, 3)):
            return ClassMap(output.name, axis)
    return Values(output.name)


def _distributions(array: np.ndarray) -> bool:
    """Whether the last axis holds distributions."""
    return array.ndim >= 2 and array.shape[-1] >= 2 and outputs.is_distribution(array.reshape(-1, array.shape[-1]))


def _within_one(output: Output) -> bool:
    return all(array.size == 0 or (array.min() >= 0 and array.max() <= 1) for array in output.arrays)


def _decided(output: Output) -> bool:
    """Whether scores in 0..1 are those of decisions: most of them near one of the ends."""
    values = np.concatenate([array.reshape(-1) for array in output.arrays])
    return bool((np.minimum(values, 1 - values) < 0.25).mean() >= 0.5)


def _detector(found: list[Output]) -> list[Task]:
    """The outputs of the Object Detection API by their names, else those that have the shapes of a detector's."""
    named = {role: [output for output in found if output.last == name] for role, name in _API.items()}
    boxes, scores, classes = (named[role] for role in ("boxes", "scores", "classes"))
    if not (boxes and scores):
        boxes = [output for output in found if _is_boxes(output)]
        scores = [output for output in found if boxes and _is_scores(output, boxes[0])]
        raw = [output for output in found if boxes and _is_anchor_scores(output, boxes[0])]
        if len(boxes) == 1 and not scores and len(raw) == 1:
            pair = (boxes[0], raw[0])
            anchors = Anchors(tuple(output.name for output in pair), 0, 1, _distributions(raw[0].first))
            return [Task(tuple(output.index for output in pair), anchors)]
        classes = [output for output in found if boxes and _is_classes(output, boxes[0])]
        scores = [output for output in scores if output not in classes]
    if len(boxes) != 1 or len(scores) != 1:
        return []
    members = [boxes[0], scores[0], *classes[:1]]
    counts = [output for output in found if output not in members and _is_count(output, boxes[0])]
    members += counts[:1]
    places = Members(0, 1, 2 if classes else None, len(members) - 1 if counts else None)
    names = tuple(output.name for output in members)
    return [Task(tuple(output.index for output in members), Detections(names, places))]


def _is_boxes(output: Output) -> bool:
    array = output.first
    return array.dtype.kind == "f" and array.ndim == 3 and array.shape[2] == 4


def _same_places(output: Output, boxes: Output) -> bool:
    """Whether each box has one value in ``output``."""
    return all(array.shape[:2] == box.shape[:2] for array, box in zip(output.arrays, boxes.arrays))


def _is_scores(output: Output, boxes: Output) -> bool:
    return (
        output.first.dtype.kind == "f"
        and output.first.ndim == 2
        and _same_places(output, boxes)
        and _within_one(output)
    )


def _is_classes(output: Output, boxes: Output) -> bool:
    if output.first.ndim != 2 or not _same_places(output, boxes):
        return False
    whole = all(np.array_equal(array, np.rint(array)) for array in output.arrays)
    return whole and (output.first.dtype.kind in "iu" or not _within_one(output))


def _is_anchor_scores(output: Output, boxes: Output) -> bool:
    array = output.first
    fits = array.dtype.kind == "f" and array.ndim == 3 and output is not boxes and _same_places(output, boxes)
    return fits and _within_one(output)


def _is_count(output: Output, boxes: Output) -> bool:
    if output.last == _COUNTS:
        return True
    whole = all(np.array_equal(array, np.rint(array)) for array in output.arrays)
    return (
        whole
        and output.first.size == len(output.first) == len(boxes.first)
        and output.first.max() <= boxes.first.shape[1]
    )

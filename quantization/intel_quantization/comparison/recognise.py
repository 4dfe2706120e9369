"""What each output is, told by its name, type, shape, and by what FP32 gives for the first samples."""

from __future__ import annotations

import re
from typing import Any, Sequence

import numpy as np

from intel_quantization.comparison.answers import Answers
from intel_quantization.comparison.class_map import INTEGERS, MASK, MOST_CLASSES, ClassMap
from intel_quantization.comparison.decisions import Decisions
from intel_quantization.comparison.embedding import Embedding
from intel_quantization.comparison.find_detector import find_detector
from intel_quantization.comparison.output import Output, Task, holds_distributions, is_decided, is_within_one
from intel_quantization.comparison.scores import Scores
from intel_quantization.comparison.sequences import Sequences
from intel_quantization.comparison.values import Values
from intel_quantization.data import class_scores

_FEATURES = re.compile(r"embed|feature|descriptor|l2_?norm", re.IGNORECASE)
_LEAST_SIDE = 4  # of what may be a map of pixels
_UNIT = 1e-2  # of the length of a row of an embedding
_FEWEST_FEATURES = 16


def recognise(names: Sequence[str], batches: list[list[np.ndarray]]) -> list[Task]:
    """The comparers for a graph's outputs; each output is in at most one.

    Args:
        names: of the outputs.
        batches: of each of the first batches, what FP32 gives for each output.
    """
    found = [Output(index, name, tuple(batch[index] for batch in batches)) for index, name in enumerate(names)]
    found = [output for output in found if output.first.ndim and output.first.size]
    tasks = find_detector(found)
    taken = {index for task in tasks for index in task.indices}
    rest = [output for output in found if output.index not in taken]
    floats = [output for output in rest if output.first.dtype.kind == "f"]
    widths = {output.first.shape[-1] for output in floats if holds_distributions(output.first)}
    alone = sum(output.first.dtype.kind == "f" for output in found) == 1
    for output in rest:
        comparer = _make_comparer(output, alone or output.first.shape[-1] in widths)
        if comparer is not None:
            tasks.append(Task((output.index,), comparer))
    return tasks


def _make_comparer(output: Output, may_be_logits: bool) -> Any:
    """What compares one output that belongs to no detector; None where nothing can be said, as of texts."""
    array = output.first
    map_like = array.ndim in (3, 4) and min(array.shape[1:3]) >= _LEAST_SIDE
    if array.dtype.kind in "iub":
        return ClassMap(output.name, INTEGERS) if map_like and array.max() < MOST_CLASSES else Answers(output.name)
    if array.dtype.kind != "f":
        return None
    rows = class_scores.scores(array)
    if rows is not None:
        return _row_comparer(output, rows, may_be_logits)
    if array.size == len(array):
        within = is_within_one(output)
        return Decisions(output.name) if within and is_decided(output) else Values(output.name)
    if array.ndim == 4 and map_like:
        return _map_comparer(output)
    if array.ndim == 3 and holds_distributions(array):
        return Sequences(output.name)
    return Values(output.name)


def _row_comparer(output: Output, rows: np.ndarray, may_be_logits: bool) -> Any:
    whole = output.all()
    rows = rows if whole is None else whole.reshape(len(whole), -1)
    if class_scores.is_distribution(rows):
        return Scores(output.name, True)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    if np.abs(lengths - 1).max() < _UNIT or _FEATURES.search(output.name):
        return Embedding(output.name)
    if is_within_one(output) and is_decided(output):
        return Decisions(output.name)
    if rows.shape[1] >= _FEWEST_FEATURES and rows.min() == 0:  # behind a ReLU; logits are not
        return Embedding(output.name)
    # logits are of both signs; what never is may be coordinates
    return Scores(output.name, False) if may_be_logits and rows.min() < 0 else Values(output.name)


def _map_comparer(output: Output) -> Any:
    array = output.first
    if 1 in (array.shape[1], array.shape[3]):
        return ClassMap(output.name, MASK) if is_within_one(output) and is_decided(output) else Values(output.name)
    for axis in (3, 1):
        if holds_distributions(np.moveaxis(array, axis, 3)):
            return ClassMap(output.name, axis)
    return Values(output.name)

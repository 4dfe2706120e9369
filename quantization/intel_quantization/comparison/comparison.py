"""Gathers both graphs' outputs batch by batch, and lets each be compared as what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Sequence

import numpy as np

from intel_quantization.comparison.findings import FP32, NOTICE, Findings
from intel_quantization.comparison.output import Task
from intel_quantization.comparison.recognise import recognise

_FIRST_SAMPLES = 8
_FIRST_BYTES = 64 << 20


class Comparison:
    """Comparing two graphs' outputs.

    The first samples are held back until there are enough of them to tell what each output is.

    Args:
        names: of the outputs, in the order of the arrays.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._held: list[tuple[list[np.ndarray], list[np.ndarray]]] = []
        self._samples = 0
        self._tasks: list[Task] | None = None

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray], count: int, fed: int) -> None:
        """What both graphs give for a batch of ``count`` samples; ``fed`` with those that only fill it up."""
        pair = (own_rows(fp32, count, fed), own_rows(int8, count, fed))
        self._samples += count
        if self._tasks is not None:
            self._compare(pair)
            return
        self._held.append(pair)
        size = sum(array.nbytes for both in self._held for arrays in both for array in arrays)
        if self._samples >= _FIRST_SAMPLES or size >= _FIRST_BYTES:
            self._recognise()

    def _recognise(self) -> None:
        self._tasks = recognise(self._names, [before for before, _ in self._held]) if self._held else []
        for pair in self._held:
            self._compare(pair)
        self._held = []

    def _compare(self, pair: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
        for task in self._tasks or ():
            task.comparer.add(*([arrays[index] for index in task.indices] for arrays in pair))

    def finish(self) -> list[Findings]:
        """What was found of each output that could be compared."""
        if self._tasks is None:
            self._recognise()
        return _without_guesses([self._find(task) for task in self._tasks or ()])

    def _find(self, task: Task) -> Findings:
        found = task.comparer.finish()
        if found is not None:
            return found
        names = tuple(self._names[index] for index in task.indices)
        return Findings(names, task.comparer.kind, 0, "not compared: FP32 and INT8 give arrays of different shapes", {})


def _without_guesses(found: list[Findings]) -> list[Findings]:
    """Without mere notices that an output of FP32 never changes, where another one does.

    A yes-or-no output may well be "no" for all samples; if the preprocessing were wrong, all outputs would show it.
    """
    if all(any(concern.cause == FP32 for concern in each.concerns) for each in found):
        return found
    return [
        replace(each, concerns=tuple(c for c in each.concerns if (c.cause, c.severity) != (FP32, NOTICE)))
        for each in found
    ]


def own_rows(arrays: list[np.ndarray], count: int, fed: int) -> list[Any]:
    """Arrays without the rows that only fill a batch up; what has no row for each sample becomes one row."""
    return [_take_rows(np.asarray(array), count, fed) for array in arrays]


def _take_rows(array: np.ndarray, count: int, fed: int) -> np.ndarray:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.nan_to_num(array)  # only where FP32 gives such values, too: else it is an error before
    if array.ndim and array.shape[0] == fed:
        return array[:count]
    return array[np.newaxis] if count == 1 or array.ndim == 0 else array

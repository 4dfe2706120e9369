"""A distribution over classes for each step, as of text or speech: read greedily, as CTC is."""

from __future__ import annotations

from typing import Any

import numpy as np

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.bounds import mean_upper
from intel_quantization.comparison.degenerate import same_answer
from intel_quantization.comparison.findings import Findings, judge


class Sequences:
    """Arrays [samples, steps, classes]; ``name`` is that of the output."""

    kind = "sequences"

    def __init__(self, name: str) -> None:
        self._name = name
        self._pairs: list[Any] = []
        self._classes = 0

    def add(self, fp32: list[np.ndarray], int8: list[np.ndarray]) -> None:
        """The same samples by both graphs."""
        if fp32[0].shape != int8[0].shape:
            return
        self._classes = fp32[0].shape[-1]
        self._pairs.extend(zip(fp32[0].argmax(axis=-1), int8[0].argmax(axis=-1)))

    def finish(self) -> Findings | None:
        """None where nothing could be compared."""
        if not self._pairs:
            return None
        steps = np.concatenate([before for before, _ in self._pairs])
        blank = int(np.bincount(steps).argmax())  # most steps of a text are between its letters
        read = [(_merge(before, blank), _merge(after, blank)) for before, after in self._pairs]
        errors = [edits(before, after) for before, after in read]
        lengths = [max(len(before), len(after), 1) for before, after in read]
        alike = [100.0 * (1 - error / length) for error, length in zip(errors, lengths)]
        equal = 100.0 * float(np.mean(np.concatenate([before == after for before, after in self._pairs])))
        whole = 100.0 * errors.count(0) / len(errors)
        symbols = 100.0 * (1 - sum(errors) / sum(lengths))
        text = f"{whole:.1f} % of sequences and {symbols:.1f} % of their symbols equal, {equal:.1f} % of steps"
        what = f"only {symbols:.1f} % of the symbols that FP32 reads are there in INT8"
        concerns = judge(symbols, mean_upper(alike), thresholds.SYMBOLS, what)
        concerns += same_answer([before for before, _ in read], self._classes, "the same sequence")
        figures = {"sequences": whole, "symbols": symbols, "steps": equal}
        return Findings((self._name,), self.kind, len(read), text, figures, concerns)


def _merge(steps: np.ndarray, blank: int) -> tuple[int, ...]:
    """Repeated answers as one, without blanks."""
    changes = np.concatenate([[True], steps[1:] != steps[:-1]])
    return tuple(int(step) for step in steps[changes] if step != blank)


def edits(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """How many symbols must be put in, taken out or changed to make one of the other (Levenshtein)."""
    row = list(range(len(second) + 1))
    for number, symbol in enumerate(first):
        previous, row[0] = row[0], number + 1
        for index, other in enumerate(second):
            previous, row[index + 1] = (
                row[index + 1],
                min(row[index + 1] + 1, row[index] + 1, previous + (symbol != other)),
            )
    return row[-1]

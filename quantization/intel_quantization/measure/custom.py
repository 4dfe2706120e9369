"""A metric of the user's own: a Python function of outputs and labels; higher is better."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

import numpy as np

from intel_quantization.comparison.comparison import own_rows
from intel_quantization.data.function_data import load_function, told_error
from intel_quantization.data.truth import Boxes, Mask
from intel_quantization.errors import BadInputError
from intel_quantization.measure.bootstrap import interval, mean_interval
from intel_quantization.measure.paired import BOOTSTRAP, Paired

_RESAMPLES = 200  # of a function that judges a whole set, each of which calls it
_MOST_BYTES = 2 << 30  # that are kept for such a function


class Custom:
    """Calls the function ``name`` of a file on both graphs' outputs.

    The function is given a dict, output name -> array [samples, ...], and the labels of these samples: an array, or a
    list where they are no numbers. It gives one number for each sample, an array [samples]; or one number for all of
    them, which is then asked for of all samples at once, and of draws of them.

    Args:
        path: a Python file.
        name: of a function in it.
        outputs: the names of the outputs, in the order of the arrays.

    Raises:
        BadInputError: there is no such function.
    """

    def __init__(self, path: str, name: str, outputs: Sequence[str]) -> None:
        self._function = load_function(path, name, "--metric")
        self._what = f"{path.rsplit('/', 1)[-1]}:{name}"
        self._outputs = [each.rpartition(":")[0] or each for each in outputs]
        self._values: list[np.ndarray] = []  # [2, samples] of each batch
        self._kept: list[list[list[np.ndarray]]] = [[], []]
        self._labels: list[Any] = []
        self._bytes = 0
        self._by_sample: bool | None = None

    def add(self, before: Sequence[np.ndarray], after: Sequence[np.ndarray], images: Sequence[Any], fed: int) -> None:
        """The outputs of both graphs for a batch of ``fed`` rows, and the samples that it holds.

        Raises:
            BadInputError: the function fails, or gives no numbers.
        """
        count = len(images)
        rows = [own_rows(list(each), count, fed) for each in (before, after)]
        labels = [_label_of(image) for image in images]
        if self._by_sample is not False:
            values = [self._call(each, labels) for each in rows]
            by_sample = all(each.shape == (count,) for each in values)
            if self._by_sample and not by_sample:
                raise BadInputError(f"{self._what} gave a number for each sample, and now {values[0].shape}", _FORM)
            self._by_sample = by_sample
            if by_sample:
                self._values.append(np.stack(values))
                return
            if any(each.ndim for each in values):
                raise BadInputError(f"{self._what} gives {values[0].shape} for {count} samples", _FORM)
        self._bytes += sum(array.nbytes for each in rows for array in each)
        if self._bytes > _MOST_BYTES:
            raise BadInputError(
                f"{self._what} judges all samples at once, whose outputs are too large to keep",
                "let it give a number for each sample, or give a smaller --evaluate",
            )
        for kept, each in zip(self._kept, rows):
            kept.append(each)
        self._labels.extend(labels)

    def finish(self) -> Paired | None:
        """None where there was nothing to judge.

        Raises:
            BadInputError: the function fails, or gives no number.
        """
        if self._values:
            values = 100.0 * np.concatenate(self._values, axis=1)
            differences = values[0] - values[1]
            low, high = mean_interval(differences, float(values.max() - values.min()) or 100.0)
            fp32, int8 = (float(each.mean()) for each in values)
            return Paired(self._what, fp32, int8, fp32 - int8, low, high, len(differences), BOOTSTRAP)
        return self._of_all() if self._labels else None

    def _of_all(self) -> Paired:
        whole = [[np.concatenate(parts) for parts in zip(*kept)] for kept in self._kept]
        count = len(self._labels)

        def figure(rows: list[np.ndarray], chosen: np.ndarray) -> float:
            value = self._call([array[chosen] for array in rows], [self._labels[number] for number in chosen])
            if value.ndim:
                raise BadInputError(f"{self._what} gave one number, and now {value.shape}", _FORM)
            return 100.0 * float(value)

        def difference(weights: np.ndarray) -> np.ndarray:
            draws = [np.repeat(np.arange(count), row) for row in weights]
            return np.array([figure(whole[0], draw) - figure(whole[1], draw) for draw in draws])

        fp32, int8 = (figure(rows, np.arange(count)) for rows in whole)
        differing = sum(
            any(not np.array_equal(first[number], second[number]) for first, second in zip(*whole))
            for number in range(count)
        )
        low, high = interval(difference, count, 100.0, differing, _RESAMPLES)
        return Paired(self._what, fp32, int8, fp32 - int8, low, high, count, BOOTSTRAP)

    def _call(self, rows: list[np.ndarray], labels: list[Any]) -> np.ndarray:
        plain = all(isinstance(label, (int, float, np.ndarray)) for label in labels)
        same = plain and len({np.shape(label) for label in labels}) == 1
        try:
            value = self._function(dict(zip(self._outputs, rows)), np.stack(labels) if same else labels)
        except (Exception, SystemExit) as error:  # anything can be wrong with the user's own code
            raise BadInputError(f"{self._what} failed: {told_error(error)}", "correct the function") from error
        try:
            result = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise BadInputError(f"{self._what} gives {type(value).__name__}, no numbers", _FORM) from None
        if not np.isfinite(result).all():
            raise BadInputError(f"{self._what} gives values that are not finite", _FORM)
        return result


def _label_of(image: Any) -> Any:
    """A sample's label as plain numbers: this package's own classes are none of the user's business."""
    if isinstance(image.truth, Mask):
        return image.truth.read()
    if isinstance(image.truth, Boxes):
        return {"boxes": image.truth.boxes, "classes": image.truth.classes, "crowd": image.truth.crowd}
    return image.label if image.truth is None else image.truth


_FORM = "let it give a number for each sample, [samples], or one number for all of them; 1 is all right, 0 all wrong"
Function = Callable[[Dict[str, Any], Any], Any]

"""Arrays in .npy and .npz files as data: one for each input, by name, and maybe labels."""

from __future__ import annotations

import random
from typing import Any, Dict, Iterator, Mapping, Sequence

import numpy as np

from intel_quantization.data import preprocess
from intel_quantization.data.array_file import StoredArray, stored_arrays
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.feeds import (
    DEFAULT_BATCH,
    Batch,
    Layout,
    as_input,
    filled,
    in_groups,
    layout_of,
)
from intel_quantization.data.given import converts, fits, shape_text
from intel_quantization.data.images import Image, Split, sizes
from intel_quantization.data.labels import row_labels
from intel_quantization.data.truth import Mask
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo

LABELS = ("labels", "label", "y")
"""Names of arrays that are no inputs, but labels."""


Arrays = Dict[TensorInfo, Any]
"""For each input its StoredArray, or what stands for one."""


def array_data(
    paths: Sequence[str],
    inputs: Sequence[TensorInfo],
    samples: int | None = None,
    evaluate: int | None = None,
    seed: int = 0,
    labels: str | None = None,
) -> Dataset:
    """The arrays of some files as data for a graph.

    An array is for the input of its name; the only one that fits is for the only other input. Bytes (uint8)
    of the shape of images for an input of floats are pixels, to be preprocessed; all others are fed as they are.

    Args:
        paths: the files.
        inputs: the graph's inputs, TensorInfos.
        samples, evaluate, seed: as for :func:`intel_quantization.data.images.split`.
        labels: a file with labels, or None.

    Raises:
        BadInputError: a file cannot be read, or its arrays do not fit the inputs.
    """
    arrays: dict[str, StoredArray] = {}
    for path in paths:
        arrays.update(stored_arrays(path))
    names, label_array, unused = _match_inputs(arrays, inputs)
    layout = _find_layout(names)
    rows = _rows(names)
    known = None if label_array is None else _known_labels(label_array, rows)
    if labels is not None:
        known = row_labels(labels, rows)
    first, second = sizes(rows, samples, evaluate)
    drawn = random.Random(seed).sample(range(rows), first + second)
    split = Split(tuple(sorted(drawn[:first])), tuple(sorted(drawn[first:])))
    warnings = tuple(f"the array {array.label} is no input of the graph, and is not used" for array in unused)

    def make_feed(part: Sequence[int], mode: preprocess.Mode, batch_size: int | None) -> ArrayFeed:
        return ArrayFeed(names, part, layout, mode, batch_size, known)

    what = f"{rows} rows of {', '.join(array.label for array in names.values())}"
    labelling = Labelling(numbered=known is not None and known.ndim == 1)
    return Dataset(what, rows, split, labelling, layout, make_feed, warnings, resizes=False, unit="rows")


class ArrayFeed:
    """Rows of arrays as feed dicts; each iteration reads them again.

    Args:
        arrays: TensorInfo -> StoredArray.
        rows: which rows, ascending.
        layout: of the input that takes pixels, None without one.
        mode: a Preprocessing or one of preprocess.MODES, for those pixels.
        batch_size: rows in one feed where the graph does not fix it.
        labels: of all rows, int64 [rows], or [rows, height, width] of their pixels; or None.
    """

    def __init__(
        self,
        arrays: Arrays,
        rows: Sequence[int],
        layout: Layout | None,
        mode: preprocess.Mode,
        batch_size: int | None,
        labels: np.ndarray | None,
    ) -> None:
        if layout is not None:
            preprocess.check(mode, layout.dtype, layout.channels)
        self._arrays = arrays
        self._rows = rows
        self._layout = layout
        self.mode = preprocess.preprocessing(mode)
        self._labels = labels
        fixed = [info.shape[0] for info in arrays if info.shape and info.shape[0]]
        self._fixed = fixed[0] if fixed else None
        self.batch_size = self._fixed or batch_size or DEFAULT_BATCH

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return (batch.feed for batch in self.batches())

    def batches(self) -> Iterator[Batch]:
        """The feeds together with what rows they hold, as Batch objects."""
        singles = {info.name: array.whole() for info, array in self._arrays.items() if not array.shape}
        streams = {
            info: in_groups(array.rows(self._rows), self.batch_size)
            for info, array in self._arrays.items()
            if array.shape
        }
        for numbers in in_groups(self._rows, self.batch_size):
            feed = dict(singles)
            for info, stream in streams.items():
                feed[info.name] = self._fit(info, np.stack(filled(list(next(stream)), self._fixed)))
            yield Batch(feed, tuple(self._make_image(number) for number in numbers))

    def _make_image(self, number: int) -> Image:
        if self._labels is None:
            return Image(f"row {number}")
        if self._labels.ndim > 1:
            return Image(f"row {number}", truth=Mask(self._labels[number]))
        return Image(f"row {number}", int(self._labels[number]))

    def _fit(self, info: TensorInfo, values: np.ndarray) -> np.ndarray:
        if self._layout is not None and values.dtype == np.uint8:
            if self._layout.channels_first:
                values = values.transpose(0, 2, 3, 1)
            return as_input(values.astype(np.float32), self._layout, self.mode)
        return values if not info.dtype else values.astype(info.dtype, copy=False)


def _match_inputs(
    arrays: Mapping[str, StoredArray], inputs: Sequence[TensorInfo]
) -> tuple[Arrays, StoredArray | None, tuple[StoredArray, ...]]:
    """({TensorInfo: StoredArray}, the array of labels or None, arrays of no input)."""
    left = dict(arrays)
    found: Arrays = {}
    for info in inputs:
        name = next((name for name in (info.name, info.name.rsplit(":", 1)[0]) if name in left), None)
        if name is not None:
            found[info] = left.pop(name)
    missing = [info for info in inputs if info not in found and info.dtype != "bool"]
    label = next((left.pop(name) for name in LABELS if name in left), None) if len(left) > len(missing) else None
    if len(missing) == 1:
        fitting = list(left) if len(left) == 1 else [name for name in left if _fits(left[name], missing[0])]
        if len(fitting) == 1:
            found[missing.pop()] = left.pop(fitting[0])
    if missing:
        raise BadInputError(
            "no array for the input {}: the arrays are {}".format(
                ", ".join(info.name for info in missing), ", ".join(array.label for array in arrays.values())
            ),
            "name them as the inputs: numpy.savez(FILE, {})".format(
                ", ".join(info.name.rsplit(":", 1)[0] + "=array" for info in inputs)
            ),
        )
    for info in inputs:
        if info not in found:  # a bool, as is_training
            found[info] = _FALSE
    return found, label, tuple(left.values())


def _fits(array: StoredArray, info: TensorInfo) -> bool:
    wanted = None if not info.shape else (None, *info.shape[1:])
    return array.dtype.kind in "biuf" and (wanted is None or fits(array.shape, wanted))


class _False:
    """Stands for an array with the one value False."""

    shape = ()
    dtype = np.dtype(bool)
    label = "False"

    @staticmethod
    def whole() -> np.ndarray:
        return np.zeros((), bool)


_FALSE = _False()


def _find_layout(names: Arrays) -> Layout | None:
    """The layout of the input that takes pixels.

    Raises:
        BadInputError: an array has another shape or dtype than its input.
    """
    layout = None
    for info, array in names.items():
        shape = info.shape
        wanted = None if shape is None or not shape else (None, *shape[1:])
        said = f"{array.label} is {array.dtype} {shape_text(array.shape)}; the input {info.name} takes "
        said += f"{info.dtype or 'any dtype'} {shape_text(shape)}"
        if (shape is not None and not shape and array.shape) or (wanted and not fits(array.shape, wanted)):
            raise BadInputError(said, _shape_remedy(array.shape, wanted))
        pixels = array.dtype == np.uint8 and info.dtype in ("float16", "float32", "float64")
        if pixels and len(array.shape) == 4 and layout is None:
            try:
                layout = layout_of(info)
            except BadInputError:
                layout = None  # other bytes than pixels
        if info.dtype and info.dtype != "bfloat16" and not converts(array.dtype, np.dtype(info.dtype)):
            raise BadInputError(said, f"save it as {info.dtype}")
    return layout


def _shape_remedy(given: Sequence[int], wanted: Sequence[int | None] | None) -> str:
    if wanted is not None and len(given) == len(wanted) == 4:
        if fits((given[0], given[2], given[3], given[1]), wanted):
            return "its channels come first, the graph's last: save array.transpose(0, 2, 3, 1)"
        if fits((given[0], given[3], given[1], given[2]), wanted):
            return "its channels come last, the graph's first: save array.transpose(0, 3, 1, 2)"
    if wanted is not None and fits((None, *given), wanted):
        return "the first dimension must be the samples: save array[None]"
    return "save an array of that shape, the first dimension the samples"


def _rows(names: Arrays) -> int:
    counts = {array.label: array.shape[0] for array in names.values() if array.shape}
    if not counts or not all(counts.values()):
        raise BadInputError("the arrays hold no rows", "their first dimension must be the samples")
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{label}: {count}" for label, count in counts.items())
        raise BadInputError(f"the arrays have different numbers of rows: {text}", "give one row for each sample")
    return next(iter(counts.values()))


def _known_labels(array: StoredArray, rows: int) -> np.ndarray:
    """The labels, int64 [rows] or [rows, height, width]; BadInputError where they are none."""
    if array.dtype.kind in "iu" and len(array.shape) == 3 and array.shape[0] == rows:
        return array.whole().astype(np.int64, copy=False)
    if array.dtype.kind not in "iu" or array.shape not in ((rows,), (rows, 1)):
        raise BadInputError(
            f"{array.label} is {array.dtype} {shape_text(array.shape)}; expected a whole number for each row",
            "save the numbers of the classes, or leave it out",
        )
    return array.whole().reshape(-1).astype(np.int64)

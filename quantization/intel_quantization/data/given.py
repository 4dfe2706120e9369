"""Calibration data as users of the Python API have them, as feed dicts."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Sequence, Union

import numpy as np

from intel_quantization.contract.nearest import did_you_mean
from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.reading.interface import TensorInfo

FeedDict = Dict[str, np.ndarray]
CalibrationData = Union[np.ndarray, FeedDict, Iterable[Any], Callable[[], Any]]

# samples of one array that are fed together where the graph does not fix it
_BATCH = 2


def as_feed(data: CalibrationData, inputs: Sequence[TensorInfo], samples: Optional[int] = None) -> Iterator[FeedDict]:
    """Calibration data as feed dicts of tensor name -> array, each of the input's dtype.

    Args:
        data: an array (samples first) for the only input; a feed dict; an iterable of feed dicts, or of
            batches for the only input; or a function without arguments that returns one of these. Keys
            are names of nodes or tensors, of inputs or of any other node that is fed.
        inputs: the graph's inputs.
        samples: stop after so many samples; None: at the end of the data.

    Raises:
        BadInputError: while iterating: something is no feed, or does not fit the input it is for.
    """
    return _Given(inputs, samples).feeds(data() if callable(data) else data)


class _Given:
    def __init__(self, inputs: Sequence[TensorInfo], samples: Optional[int]) -> None:
        self.inputs = {info.name: info for info in inputs}
        self.samples = samples

    def feeds(self, data: Any) -> Iterator[FeedDict]:
        count = 0
        for number, item in enumerate(self._walk_batches(data)):
            if self.samples is not None and count >= self.samples:
                return
            feed = self._feed(item, "batch %d" % number)
            count += max((len(value) if value.ndim else 1) for value in feed.values())
            yield feed

    def _walk_batches(self, data: Any) -> Iterable[Any]:
        if isinstance(data, dict):
            return [data]
        if isinstance(data, np.ndarray):
            return self._cut_slices(data)
        try:
            return iter(data)
        except TypeError:
            raise BadInputError(
                "calibration_data is a %s" % type(data).__name__,
                "give an array, a feed dict, an iterable of feed dicts, or a function that returns one",
            ) from None

    def _cut_slices(self, array: np.ndarray) -> Iterator[np.ndarray]:
        info = self._only_input()
        if array.ndim == 0:
            raise BadInputError("calibration_data is a single number", "its first dimension must be the samples")
        size = (info.shape[0] if info.shape else None) or _BATCH
        for start in range(0, len(array), size):
            piece = array[start : start + size]
            if info.shape and info.shape[0] and len(piece) < size:
                if start == 0:
                    raise BadInputError(
                        "calibration_data has %d samples; the graph takes %d at a time" % (len(piece), size),
                        "give at least %d" % size,
                    )
                return  # a rest that the graph cannot take
            yield piece

    def _feed(self, item: Any, what: str) -> FeedDict:
        if isinstance(item, dict):
            if not item:
                raise BadInputError("%s of the calibration data is empty" % what, "name the inputs: {'input': array}")
            feed = {}
            for key, value in item.items():
                name = self._find_name(key, what)
                feed[name] = self._fit(name, value, what)
            return feed
        if isinstance(item, (np.ndarray, list, tuple, np.generic)):
            info = self._only_input()
            return {info.name: self._fit(info.name, item, what)}
        raise BadInputError(
            "%s of the calibration data is a %s, no feed dict" % (what, type(item).__name__),
            "give dicts of input name -> array",
        )

    def _only_input(self) -> TensorInfo:
        if len(self.inputs) != 1:
            raise BadInputError(
                "the graph has %d inputs (%s), so an array alone does not say which it is for"
                % (len(self.inputs), ", ".join(self.inputs)),
                "give feed dicts: {'%s': array, ...}" % next(iter(self.inputs), "input"),
            )
        return next(iter(self.inputs.values()))

    def _find_name(self, key: Any, what: str) -> str:
        name = key if isinstance(key, str) else getattr(key, "name", None)  # a tensor of TensorFlow has a name
        if not isinstance(name, str):
            raise BadInputError("%s of the calibration data has the key %r" % (what, key), "keys are names of inputs")
        try:
            return "%s:%d" % tensors.split(name)
        except ValueError:
            raise BadInputError(
                "%s of the calibration data: '%s' is not a tensor name" % (what, name),
                did_you_mean(name, self.inputs, "write NODE or NODE:OUTPUT", quoted=True),
            ) from None

    def _fit(self, name: str, value: Any, what: str) -> np.ndarray:
        array = np.asarray(value)
        info = self.inputs.get(name)
        if info is None:
            return array
        said = "%s of the calibration data: %s is %s %s; the data are %s [%s]" % (
            what,
            name,
            info.dtype or "of unknown dtype",
            shape_text(info.shape),
            array.dtype,
            ",".join(str(size) for size in array.shape),
        )
        if info.shape is not None and not fits(array.shape, info.shape):
            missing = len(info.shape) == array.ndim + 1 and fits(array.shape, info.shape[1:])
            raise BadInputError(said, "the first dimension must be the batch" if missing else "give that shape")
        if info.dtype and info.dtype != "string":
            wanted = np.dtype(info.dtype) if info.dtype != "bfloat16" else array.dtype
            if array.dtype.kind == "O" or not converts(array.dtype, wanted):
                raise BadInputError(said, "give %s" % info.dtype)
            array = array.astype(wanted, copy=False)
        return array


def shape_text(shape: Optional[Sequence[Optional[int]]]) -> str:
    """A shape as ``[?,224,224,3]``."""
    if shape is None:
        return "of any shape"
    return "[%s]" % ",".join("?" if size is None else str(size) for size in shape)


def fits(given: Sequence[Optional[int]], wanted: Sequence[Optional[int]]) -> bool:
    """Whether an array of one shape may be fed to an input of the other; None: any size."""
    return len(given) == len(wanted) and all(b is None or a == b for a, b in zip(given, wanted))


def converts(given: np.dtype, wanted: np.dtype) -> bool:
    """Whether values may be converted without losing what they mean: to another width, or whole numbers to floats."""
    if given.kind in "iu" and wanted.kind in "iu":
        return np.can_cast(given, wanted, "same_kind") or given.itemsize > wanted.itemsize
    return np.can_cast(given, wanted, "same_kind")

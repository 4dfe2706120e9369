"""Made-up input for a graph: what a latency can be measured on where there are no data."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.reading.interface import TensorInfo

_FLOATS = ("float16", "float32", "float64")
_ZEROS = ("bool", "int8", "int16", "int32", "int64", "uint16")


def synthetic_feed(inputs: Sequence[TensorInfo], statistics: Statistics) -> tuple[dict[str, np.ndarray], int]:
    """One feed of one sample: {tensor name: array}, and the size of its batch.

    Floats are drawn evenly from the range that calibration saw, or from 0..1; bytes from 0..255; a bool is False,
    an integer 0.

    Args:
        inputs: TensorInfos.
        statistics: what calibration saw; also tells dimensions that the graph leaves open.

    Raises:
        BadInputError: an input's shape is not known, or its dtype is none of these.
    """
    feed = {}
    for info in inputs:
        seen = statistics.tensors.get(tensors.canonical(info.name))
        feed[info.name] = _make_values(info, _find_shape(info, seen), seen)
    first = feed[inputs[0].name]
    return feed, first.shape[0] if first.ndim else 1


def _find_shape(info: TensorInfo, seen: Optional[TensorStatistics]) -> tuple[int, ...]:
    given = info.shape
    observed = seen.shape if seen is not None else None
    if given is None:
        given = observed
    elif observed is not None and len(observed) == len(given):
        given = tuple(size if size is not None else other for size, other in zip(given, observed))
    if given is None or None in given[1:]:
        raise BadInputError(f"the shape of the input {info.name} is not known", "give images, with --data_location")
    return tuple(1 if size is None else size for size in given)


def _make_values(info: TensorInfo, shape: Sequence[int], seen: Optional[TensorStatistics]) -> np.ndarray:
    random = np.random.RandomState(0)
    if info.dtype in _FLOATS:
        low, high = (seen.minimum, seen.maximum) if seen is not None and seen.count else (0.0, 1.0)
        return random.uniform(low, high, shape).astype(info.dtype)
    if info.dtype == "uint8":
        return random.randint(0, 256, shape).astype(np.uint8)
    if info.dtype in _ZEROS:
        return np.zeros(shape, info.dtype)
    what = f"the input {info.name} of type {info.dtype or 'unknown'}"
    raise BadInputError(f"nothing can be made up for {what}", "give images, with --data_location")

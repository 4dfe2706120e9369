"""Statistics in files: as JSON, which people read, or with the patches in one ``.npz``, from which all can be redone.

The JSON has no patches: those of a ResNet-50 take 50 MB. What they decide (see docs/explanation/calibration.md) cannot
be redone without them, as it cannot where a command calibrates.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import tokenize
import zipfile
import zlib
from typing import Any, Dict, List, Optional, Tuple, Type

import numpy as np

from intel_quantization.calibration.statistics import BINS, Statistics, TensorStatistics
from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import write_atomically

SCHEMA = 1
SUFFIX_WITH_PATCHES = ".npz"
_OF_CHANNELS = ("channel_sum", "channel_minimum", "channel_maximum")
_MEMBER = "statistics.json"
# Patches are half zeros behind a ReLU, and noise otherwise: more effort gains nothing.
_EFFORT = 1
# Those of a ResNet-50 take 50 MB; a file may claim anything.
_MOST_BYTES = 2 << 30
_MOST_VALUES = 1 << 63
_LARGEST = float(np.finfo(np.float32).max)  # what graphs compute in, and ranges are written in
# What zipfile, the decompressors and numpy's parser of headers raise on damaged or encrypted files.
_DAMAGE: Tuple[Type[BaseException], ...] = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, MemoryError, RuntimeError),
    *(EOFError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def save_statistics(statistics: Statistics, path: str) -> None:
    """Write statistics, atomically: with their patches where the path ends in ``.npz``, else as JSON without.

    Raises:
        QuantizationError: the file cannot be written.
    """
    if not path.endswith(SUFFIX_WITH_PATCHES):
        write_atomically(path, _text(statistics, indent=1))
        return
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=_EFFORT) as archive:
        archive.writestr(_MEMBER, _text(statistics, patches=list(statistics.patches)))
        for number, values in enumerate(statistics.patches.values()):
            with archive.open("%d.npy" % number, "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)
    write_atomically(path, content.getvalue())


def load_statistics(path: str) -> Statistics:
    """Read what :func:`save_statistics` wrote.

    Raises:
        BadInputError: the file cannot be read, or is no statistics file of this schema.
    """
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                content = file.read(_MOST_BYTES + 1)
                _check_size(len(content), name)
                return _from_data(_parse(content, name), name)
            file.seek(0)
            return _with_patches(file, name)
    except OSError as error:
        raise BadInputError("cannot read the statistics %s: %s" % (path, error.strerror or error)) from error


def _with_patches(file: Any, name: str) -> Statistics:
    try:
        with zipfile.ZipFile(file) as archive:
            _check_size(sum(member.file_size for member in archive.infolist()), name)
            data = _parse(archive.read(_MEMBER), name)
            result = _from_data(data, name)
            for number, op in enumerate(data.get("patches", [])):
                with archive.open("%d.npy" % number) as member:
                    values = np.lib.format.read_array(member, allow_pickle=False)
                if values.dtype != np.float32 or values.ndim != 3 or not len(values) or not np.isfinite(values).all():
                    raise ValueError("the patches of %r are none" % op)
                result.patches[str(op)] = values
            return result
    except BadInputError:
        raise
    except _DAMAGE as error:
        raise BadInputError("%s is damaged: %s" % (name, error), "calibrate anew") from error


def _check_size(size: int, name: str) -> None:
    if size > _MOST_BYTES:
        raise BadInputError("%s holds over %d bytes" % (name, _MOST_BYTES), "calibrate anew")


def _text(statistics: Statistics, indent: Optional[int] = None, patches: Optional[List[str]] = None) -> bytes:
    data: Dict[str, Any] = {
        "schema": SCHEMA,
        "graph": statistics.graph,
        "origin": statistics.origin,
        "samples": statistics.samples,
        "tensors": {name: _to_json(item) for name, item in sorted(statistics.tensors.items())},
    }
    if statistics.sensitivities:
        data["sensitivities"] = {
            name: [float(value) for value in values] for name, values in sorted(statistics.sensitivities.items())
        }
    if patches is not None:
        data["patches"] = patches
    return (json.dumps(data, indent=indent, sort_keys=True) + "\n").encode()


def _parse(content: bytes, name: str) -> Dict[str, Any]:
    try:
        data = json.loads(content.decode())
        json.dumps(data, ensure_ascii=False).encode()  # names that are no UTF-8, which no report can hold
    except (ValueError, RecursionError) as error:
        raise BadInputError("%s is not a statistics file: %s" % (name, error)) from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise BadInputError("%s is not a statistics file of schema %d" % (name, SCHEMA), "calibrate anew")
    return data


def _from_data(data: Dict[str, Any], name: str) -> Statistics:
    try:
        tensors = {str(tensor): _from_json(item) for tensor, item in data["tensors"].items()}
        origin = dict(data.get("origin") or {})  # files of before have none
        if "options" in origin:
            origin["options"] = dict(origin["options"])
        told = dict(data.get("sensitivities") or {})
        sensitivities = {str(tensor): _read_sensitivity(values) for tensor, values in told.items()}
        samples = _count(data["samples"])
        return Statistics(str(data["graph"]), samples, tensors, sensitivities=sensitivities, origin=origin)
    except _DAMAGE as error:
        raise BadInputError("%s is damaged: %r" % (name, error), "calibrate anew") from error


def _to_json(item: TensorStatistics) -> Dict[str, Any]:
    result: Dict[str, Any] = {"count": item.count, "min": item.minimum, "max": item.maximum}
    result["shape"] = None if item.shape is None else list(item.shape)
    if item.batches:
        result["batches"] = {"count": item.batches, "min_sum": item.minimum_sum, "max_sum": item.maximum_sum}
    if item.empties:
        result["empties"] = item.empties
    for key in _OF_CHANNELS:
        values = getattr(item, key)
        if values is not None:
            result[key] = [float(value) for value in values]
    if item.histogram is not None:
        used = np.flatnonzero(item.histogram)
        result["histogram"] = {str(index): int(item.histogram[index]) for index in used}
    return result


def _from_json(data: Dict[str, Any]) -> TensorStatistics:
    batches = data.get("batches", {"count": 0, "min_sum": 0.0, "max_sum": 0.0})
    result = TensorStatistics(
        _count(data["count"]),
        float(data["min"]),
        float(data["max"]),
        _read_shape(data["shape"]),
        histogram=_read_histogram(data["histogram"]) if "histogram" in data else None,
        batches=_count(batches["count"]),
        minimum_sum=_read_finite(batches["min_sum"]),
        maximum_sum=_read_finite(batches["max_sum"]),
        empties=_count(data.get("empties", 0)),
    )
    if result.count and not -_LARGEST <= result.minimum <= result.maximum <= _LARGEST:
        raise ValueError("%r to %r is no range" % (result.minimum, result.maximum))
    for key in _OF_CHANNELS:
        if key in data:
            setattr(result, key, _by_channel(data[key], result.shape))
    return result


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < _MOST_VALUES:
        raise ValueError("%r is no count" % (value,))
    return value


def _read_finite(value: Any) -> float:
    if not np.isfinite(float(value)):
        raise ValueError("%r is not finite" % (value,))
    return float(value)


def _read_shape(value: Any) -> Optional[Tuple[Optional[int], ...]]:
    return None if value is None else tuple(None if size is None else _count(size) for size in value)


def _read_histogram(counts: Dict[str, Any]) -> np.ndarray:
    result = np.zeros(BINS, np.int64)
    for index, count in counts.items():
        if not 0 <= int(index) < BINS:
            raise ValueError("there is no bin %s" % index)
        result[int(index)] = _count(count)
    return result


def _read_sensitivity(values: Any) -> np.ndarray:
    result = _by_channel(values, None)
    if (result < 0).any():
        raise ValueError("a sensitivity below zero")
    return result


def _by_channel(values: Any, shape: Optional[Tuple[Optional[int], ...]]) -> np.ndarray:
    result = np.array(values, np.float64)
    if result.ndim != 1 or not np.isfinite(result).all() or (shape and shape[-1] not in (None, result.size)):
        raise ValueError("%d values are not one for each channel" % result.size)
    return result

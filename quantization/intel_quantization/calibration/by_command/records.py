"""Reading what recorders have written, while they are at it."""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2, types_pb2

from intel_quantization.calibration.by_command.recorders import Recorder
from intel_quantization.calibration.statistics import BINS, TensorStatistics, one_zero

_Parsed = Tuple[Tuple[int, ...], TensorStatistics]


class Records:
    """The records of one calibration. What was read is removed, so that files do not pile up.

    Args:
        directory: where they are written; made here.
        recorders: as given to :func:`~intel_quantization.calibration.by_command.recorders.add_recorders`.

    Attributes:
        directory: as given.
        recorders: as given.
        tensors: what was seen of each tensor whose values are recorded.
    """

    def __init__(self, directory: str, recorders: Sequence[Recorder]) -> None:
        os.mkdir(directory, 0o700)
        self.directory = directory
        self.recorders = recorders
        # the leading dimension in every record of a tensor, in the order of reading
        self._sizes: Dict[str, List[int]] = {recorder.tensor: [] for recorder in recorders}
        self.tensors = {recorder.tensor: TensorStatistics() for recorder in recorders if recorder.values}

    def read(self) -> int:
        """Take in all records that are complete by now; returns how many that were."""
        found = 0
        for name in os.listdir(self.directory):
            recorder = self._find_recorder(name)
            path = os.path.join(self.directory, name)
            parsed = None if recorder is None else parse(_read_content(path), recorder)
            if recorder is None or parsed is None:  # still being written, or cut off with its process
                continue
            os.unlink(path)
            dims, seen = parsed
            self._sizes[recorder.tensor].append(dims[0] if dims else 1)
            if recorder.values:
                self.tensors[recorder.tensor].merge(seen)
            found += 1
        return found

    def batches(self, counters: Sequence[str]) -> List[int]:
        """The batch size of every run that has begun, as the tensor saw it that saw most samples."""
        return max((self._sizes[name] for name in counters), key=sum, default=[])

    def done(self, counters: Sequence[str], steady: Sequence[str]) -> int:
        """How many samples went all the way through the graph.

        That is known of a run when all of the ``steady`` tensors, which are made once a run, were recorded, and
        when the next one has begun: the program may not ask for all outputs.
        """
        batches = self.batches(counters)
        whole = min((len(self._sizes[name]) for name in steady), default=0)
        return sum(batches[: max(whole, len(batches) - 1)])

    def _find_recorder(self, name: str) -> Optional[Recorder]:
        number = name.partition("-")[0]
        known = number.isdigit() and int(number) < len(self.recorders)
        return self.recorders[int(number)] if known else None


def parse(data: bytes, recorder: Recorder) -> Optional[_Parsed]:
    """The tensor's dimensions and statistics in one record; None where the record is not complete.

    The minimum is not finite where a value is not.
    """
    proto = tensor_pb2.TensorProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, RuntimeError):  # RuntimeError: protobuf 3.8, as TensorFlow 1.15 uses it
        return None
    if proto.dtype != types_pb2.DT_FLOAT or len(proto.tensor_shape.dim) != 1 or len(proto.tensor_content) % 4:
        return None
    values = np.frombuffer(proto.tensor_content, np.float32)
    if not len(values) or len(values) != proto.tensor_shape.dim[0].size:
        return None
    rank = int(values[0])
    dims = tuple(int(size) for size in values[1 : 1 + rank])
    rest = values[1 + rank :]
    channels = (dims[-1] if dims else 1) if recorder.channels else 0
    bins = BINS if recorder.histogram else 0
    if len(dims) != rank or len(rest) != (3 + 3 * channels + bins if recorder.values else 0):
        return None
    seen = TensorStatistics(int(np.prod(dims, dtype=np.int64)), shape=(None, *dims[1:]) if dims else ())
    if recorder.values:
        seen.minimum, seen.maximum = float(rest[1]), float(rest[2])
        if not rest[0]:
            seen.minimum = float("nan")
        seen.empties = int(not seen.count)
        if seen.count:
            seen.batches, seen.minimum_sum, seen.maximum_sum = 1, seen.minimum, seen.maximum
        if recorder.channels:
            seen.channel_sum = rest[3 : 3 + channels].astype(np.float64)
            seen.channel_minimum = rest[3 + channels : 3 + 2 * channels].astype(np.float64)
            seen.channel_maximum = rest[3 + 2 * channels : 3 + 3 * channels].astype(np.float64)
        if recorder.histogram:
            seen.histogram = one_zero(rest[3 + 3 * channels :].astype(np.int64))
    return dims, seen


def _read_content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()

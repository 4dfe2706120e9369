"""Images in TFRecord files: ImageNet's, and those of TensorFlow's object detection; read one by one."""

from __future__ import annotations

import os
import random
import re
import struct
from typing import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError

from intel_quantization.data.images import Image, Split, sizes
from intel_quantization.data.truths import truth_of_record
from intel_quantization.errors import BadInputError
from intel_quantization.graph.session import first_line

tf1 = tf.compat.v1

IMAGE, LABEL = "image/encoded", "image/class/label"
_NAMES = re.compile(r"\.(tfrecords?|tfrec|records?)(-\d{5}-of-\d{5})?(\.gz)?$|-\d{5}-of-\d{5}(\.gz)?$")
_GZIP = b"\x1f\x8b"
# Of so many times as many records as are needed, some are drawn; further files are not read.
_CHOICE = 4


def is_record_name(name: str) -> bool:
    """Whether a file of this name holds TFRecords by custom: ``val-00000-of-00128``, ``x.tfrecord``, ``x.record``."""
    return _NAMES.search(name.lower()) is not None


def holds_records(path: str) -> bool:
    """Whether the file begins with a whole TFRecord."""
    try:
        next(_read_records(path))
    except (BadInputError, StopIteration):
        return False
    return True


class RecordImages:
    """Some images of TFRecord files. Sized, sliceable, and read anew by each iteration.

    Args:
        files: paths.
        places: (index of the file, number of the record in it), ascending.
    """

    def __init__(self, files: tuple[str, ...], places: tuple[tuple[int, int], ...]) -> None:
        self._files = files
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, which: slice) -> RecordImages:
        return RecordImages(self._files, self._places[which])

    def __iter__(self) -> Iterator[Image]:
        """The images, as Image objects with their bytes.

        Raises:
            BadInputError: a file is damaged, or a record holds no image.
        """
        wanted: dict[int, set[int]] = {}
        for file, number in self._places:
            wanted.setdefault(file, set()).add(number)
        for file, numbers in wanted.items():
            for number, record in enumerate(_read_records(self._files[file])):
                if number in numbers:
                    yield _make_image(self._files[file], number, record)
                    numbers.remove(number)
                    if not numbers:
                        break


def split_records(
    files: tuple[str, ...], samples: int | None = None, evaluate: int | None = None, seed: int = 0
) -> tuple[int, Split]:
    """Draw records to calibrate with, and others to evaluate on.

    Whole files are chosen first, at random, until there are some times as many records as needed.

    Args:
        files: paths.
        samples, evaluate, seed: as for :func:`intel_quantization.data.images.split`.

    Returns:
        (how many records the chosen files hold, the Split of RecordImages).

    Raises:
        BadInputError: a file is damaged, or there are no records.
    """
    rng = random.Random(seed)
    order = list(range(len(files)))
    rng.shuffle(order)
    needed = sum(sizes(1 << 40, samples, evaluate))
    places: list[tuple[int, int]] = []
    for file in order:
        places.extend((file, number) for number in range(_count(files[file])))
        if len(places) >= _CHOICE * needed:
            break
    if not places:
        raise BadInputError(f"there are no records in {files[0]}", "give --data_location TFRecords of images")
    first, second = sizes(len(places), samples, evaluate)
    drawn = rng.sample(places, first + second)
    parts = (tuple(sorted(drawn[:first])), tuple(sorted(drawn[first:])))
    return len(places), Split(*(RecordImages(files, part) for part in parts))


def _count(path: str) -> int:
    """How many records a file holds, from their headers: length, its checksum, so many bytes, their checksum."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as stream:
            if stream.read(2) == _GZIP:
                return sum(1 for _ in _read_records(path))
            count = position = 0
            while position < size:
                stream.seek(position)
                header = stream.read(12)
                if len(header) == 12:
                    position += 16 + struct.unpack("<Q", header[:8])[0]
                if len(header) < 12 or position > size:
                    raise _tell_damage(path, count, "it ends in the middle")
                count += 1
            return count
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", "check its permissions") from None


def _read_records(path: str) -> Iterator[bytes]:
    """The records' bytes, by TensorFlow's own reader, which checks their checksums."""
    kind = tf1.python_io.TFRecordCompressionType
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == _GZIP
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", "check its permissions") from None
    options = tf1.python_io.TFRecordOptions(kind.GZIP if packed else kind.NONE)
    number = 0
    try:
        for record in tf1.python_io.tf_record_iterator(path, options):
            yield record
            number += 1
    except tf.errors.OpError as error:
        raise _tell_damage(path, number, first_line(error)[:200]) from None


def _tell_damage(path: str, number: int, why: str) -> BadInputError:
    return BadInputError(
        f"{path} is no TFRecord file, or is damaged, at record {number}: {why}", "copy or make it anew"
    )


def _make_image(path: str, number: int, record: bytes) -> Image:
    name = f"record {number} of {path}"
    try:
        features = tf.train.Example.FromString(record).features.feature
    except (DecodeError, RuntimeError):  # RuntimeError: protobuf 3.8, as TensorFlow 1.15 uses it
        raise BadInputError(f"{name} is no tf.train.Example; expected one with {IMAGE!r}", "make it anew") from None
    if IMAGE not in features or not features[IMAGE].bytes_list.value:
        found = ", ".join(sorted(features)[:8]) or "nothing"
        raise BadInputError(
            f"{name} has no {IMAGE!r}; it has {found}", f"expected {IMAGE!r}, a JPEG or PNG, and maybe {LABEL!r}"
        )
    values = features[LABEL].int64_list.value if LABEL in features else []
    label = int(values[0]) if len(values) == 1 else None
    return Image(name, label, features[IMAGE].bytes_list.value[0], truth_of_record(features))

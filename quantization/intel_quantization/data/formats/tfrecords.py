"""TFRecords of images: one file, or a folder of them."""

from __future__ import annotations

import os
from functools import partial
from typing import Sequence, Tuple

from intel_quantization.data import tfrecords
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.feeds import image_input, layout_of
from intel_quantization.data.folders import list_names
from intel_quantization.data.formats.data_format import DataFormat, Wanted
from intel_quantization.data.formats.images import make_image_feed
from intel_quantization.errors import BadInputError


class TFRecords(DataFormat):
    """Files known by their names, or one by what it begins with."""

    def find(self, path: str) -> Tuple[str, ...]:
        """In a folder, those of validation, where there are others, too."""
        if not os.path.isdir(path):
            known = tfrecords.is_record_name(os.path.basename(path)) or tfrecords.holds_records(path)
            return (path,) if known else ()
        names = [name for name in list_names(path) if tfrecords.is_record_name(name)]
        validation = [name for name in names if "val" in name.lower()]
        return tuple(os.path.join(path, name) for name in (validation or names))

    def open(self, found: Sequence[str], wanted: Wanted) -> Dataset:
        """Some of the records, drawn at random."""
        if wanted.labels is not None:
            raise BadInputError("--labels is for images and arrays; TFRecords have their own", "drop --labels")
        tensor, constants = image_input(wanted.inputs)
        total, split = tfrecords.split_records(tuple(found), wanted.samples, wanted.evaluate, wanted.seed)
        where = found[0] if len(found) == 1 else f"{os.path.dirname(found[0])} ({len(found)} files)"
        return Dataset(
            f"{total} images in TFRecords, {where}",
            total,
            split,
            Labelling(numbered=True),
            layout_of(tensor),
            partial(make_image_feed, tensor, constants),
        )


FORMAT = TFRecords()

"""The data of a path, whatever their format is."""

from __future__ import annotations

import importlib
import os
from typing import Any, List, Optional, Sequence

from intel_quantization.contract.words import DATA_FORMATS
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.formats import images
from intel_quantization.data.formats.data_format import DataFormat, Wanted
from intel_quantization.errors import BadInputError


def open_dataset(
    path: str,
    inputs: Sequence[Any],
    samples: Optional[int] = None,
    evaluate: Optional[int] = None,
    seed: int = 0,
    labels: Optional[str] = None,
) -> Dataset:
    """The data of a file or folder, by the first format that finds its own there.

    Args:
        path: a folder of images, or of a sub-folder of images for each class; a folder of COCO's (images, and
            ``annotations``, whose boxes are labels); TFRecords with ``image/encoded``, or a folder of those; a .npy
            or .npz file, or a folder of those.
        inputs: the graph's inputs, TensorInfos.
        samples, evaluate, seed: as for :func:`intel_quantization.data.images.split`.
        labels: a file with the labels of the images or rows; of images also COCO's JSON with boxes, or a folder of
            maps with a class for each pixel; or None.

    Raises:
        BadInputError: there are no such data, or they do not fit the inputs.
    """
    wanted = Wanted(inputs, samples, evaluate, seed, labels)
    for known in load_formats():
        found = known.find(path)
        if found:
            return known.open(found, wanted)
    if os.path.isdir(path):  # images in sub-folders, or none
        return images.FORMAT.open((path,), wanted)
    raise BadInputError(
        f"{path} is no kind of data that is known here", f"give --data_location {', '.join(DATA_FORMATS.values())}"
    )


def load_formats() -> List[DataFormat]:
    """All formats, in the order in which they are asked."""
    return [importlib.import_module(f"intel_quantization.data.formats.{name}").FORMAT for name in DATA_FORMATS]

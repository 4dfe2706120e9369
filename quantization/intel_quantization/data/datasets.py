"""Which kind of data a path holds, and the data of that kind."""

from __future__ import annotations

import os
from functools import partial

from intel_quantization.data import images, tfrecords
from intel_quantization.data.array_data import array_data, array_files
from intel_quantization.data.array_file import EXTENSIONS
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.feeds import ImageFeed, image_input, layout_of
from intel_quantization.data.labels import labelled
from intel_quantization.data.truths import coco_annotations, with_boxes, with_masks
from intel_quantization.errors import BadInputError

_KINDS = "a folder of images, TFRecords of images, or .npy or .npz files"


def open_dataset(path: str, inputs, samples=None, evaluate=None, seed=0, labels: str | None = None) -> Dataset:
    """The data of a file or folder, whatever their kind is.

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
    if os.path.isdir(path):
        records, arrays = _record_files(path), array_files(path)
        if records and not _holds_images(path):
            return _records(records, inputs, samples, evaluate, seed, labels)
        if arrays and not _holds_images(path):
            return array_data(arrays, inputs, samples, evaluate, seed, labels)
        return _folder(path, inputs, samples, evaluate, seed, labels)
    if path.lower().endswith(EXTENSIONS):
        return array_data((path,), inputs, samples, evaluate, seed, labels)
    if path.lower().endswith(images.EXTENSIONS):
        raise BadInputError(f"{path} is one image", "give --data_location the folder that it is in")
    if tfrecords.is_record_name(os.path.basename(path)) or tfrecords.holds_records(path):
        return _records((path,), inputs, samples, evaluate, seed, labels)
    raise BadInputError(f"{path} is no kind of data that is known here", f"give --data_location {_KINDS}")


def _folder(path, inputs, samples, evaluate, seed, labels) -> Dataset:
    tensor, constants = image_input(inputs)
    coco = images.discover_coco(path)
    found = coco or images.discover(path)
    numbered = False
    warnings = []
    if labels is None and coco is not None:
        boxes = coco_annotations(path, coco)
        try:
            found = coco if boxes is None else with_boxes(coco, boxes)
        except BadInputError as error:  # nobody asked for them
            warnings.append(f"the boxes of the images are not read: {error.message}")
    elif labels is not None and os.path.isdir(labels):
        found = with_masks(found, labels)
    elif labels is not None and labels.lower().endswith(".json"):
        found = with_boxes(found, labels)
    elif labels is not None:
        found, numbered = labelled(found, path, labels)
    kind = f"in {len(found.classes)} class folders" if found.classes else "in a flat folder"
    if labels is not None:
        kind = f"with labels of {os.path.basename(labels)}"
    if found.ignored:
        warnings.append(f"{found.ignored} sub-folders are ignored, as there are images beside them")
    return Dataset(
        f"{len(found.files)} images {kind}",
        len(found.files),
        images.split(found.files, samples, evaluate, seed),
        Labelling(len(found.classes), numbered),
        layout_of(tensor),
        partial(_image_feed, tensor, constants),
        tuple(warnings),
    )


def _records(paths, inputs, samples, evaluate, seed, labels) -> Dataset:
    if labels is not None:
        raise BadInputError("--labels is for images and arrays; TFRecords have their own", "drop --labels")
    tensor, constants = image_input(inputs)
    total, split = tfrecords.split_records(paths, samples, evaluate, seed)
    where = paths[0] if len(paths) == 1 else f"{os.path.dirname(paths[0])} ({len(paths)} files)"
    return Dataset(
        f"{total} images in TFRecords, {where}",
        total,
        split,
        Labelling(numbered=True),
        layout_of(tensor),
        partial(_image_feed, tensor, constants),
    )


def _image_feed(tensor, constants, part, mode, batch_size) -> ImageFeed:
    return ImageFeed(None, tensor, mode, batch_size, part, constants)


def _record_files(folder: str) -> tuple[str, ...]:
    """TFRecords in a folder: those of validation, where there are others, too."""
    names = [name for name in _names(folder) if tfrecords.is_record_name(name)]
    validation = [name for name in names if "val" in name.lower()]
    return tuple(os.path.join(folder, name) for name in (validation or names))


def _holds_images(folder: str) -> bool:
    names = _names(folder)
    return any(name.lower().endswith(images.EXTENSIONS) for name in names)


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise BadInputError(
            f"cannot read the dataset folder {folder}: {error.strerror}",
            "check --data_location and the folder's permissions",
        ) from None

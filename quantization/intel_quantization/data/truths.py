"""Labels that are more than a class: boxes from COCO's JSON or from records, and maps of pixels from a folder."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any, Mapping, Sequence

import numpy as np

from intel_quantization.data.images import Images
from intel_quantization.data.truth import Boxes, Mask
from intel_quantization.errors import BadInputError

_MASKS = (".png", ".npy")
_SIDES = ("ymin", "xmin", "ymax", "xmax")
_BOX = "image/object/bbox/"
_OBJECT, _CROWD = "image/object/class/label", "image/object/is_crowd"
_PIXELS = "image/segmentation/class/encoded"
_FORM = (
    "expected COCO's instances: images with file_name, width and height; annotations with image_id, bbox, category_id"
)


def with_boxes(images: Images, path: str) -> Images:
    """The images with the boxes of a JSON file of COCO's; those that it does not name are left out.

    Raises:
        BadInputError: the file cannot be read, is of another form, or names none of the images.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        by_id = {entry["id"]: entry for entry in data["images"]}
        objects: dict[Any, list[Any]] = {key: [] for key in by_id}
        for entry in data["annotations"]:
            objects[entry["image_id"]].append(entry)
        known = {entry["file_name"]: key for key, entry in by_id.items()}
        files = tuple(
            replace(image, label=None, truth=_read_boxes(by_id[known[name]], objects[known[name]]))
            for image, name in ((image, os.path.basename(image.path)) for image in images.files)
            if name in known
        )
    except OSError as error:
        raise BadInputError(f"cannot read the labels {path}: {error.strerror}", "check --labels") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadInputError(f"{path} holds no boxes: {_why(error)}", _FORM) from None
    if not files:
        raise BadInputError(f"{path} names none of the images, such as {images.files[0].path}", "check --labels")
    return Images(files, (), images.ignored)


def _why(error: Exception) -> str:
    """What is wrong with a file of boxes, by what reading it raised."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, OverflowError):
        return "a number in it is too large"
    if isinstance(error, KeyError):
        return f"something in it has, or is, no {error}"
    if isinstance(error, ValueError):
        return str(error)
    return "it is built otherwise"


def with_masks(images: Images, folder: str) -> Images:
    """The images with a map of classes each, of the same name in another folder; those without one are left out.

    Raises:
        BadInputError: there is none.
    """
    there = {}
    try:
        for name in sorted(os.listdir(folder)):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in _MASKS:
                there[stem] = os.path.join(folder, name)
    except OSError as error:
        raise BadInputError(f"cannot read the labels {folder}: {error.strerror}", "check --labels") from None
    stems = ((image, os.path.splitext(os.path.basename(image.path))[0]) for image in images.files)
    files = tuple(replace(image, label=None, truth=Mask(there[stem])) for image, stem in stems if stem in there)
    if not files:
        raise BadInputError(
            f"{folder} has no map of classes for {os.path.basename(images.files[0].path)}, nor for any other image",
            "expected a .png or .npy of the same name for each image",
        )
    return Images(files, (), images.ignored)


def coco_annotations(root: str, images: Images) -> str | None:
    """COCO's own file of instances for the images of a folder of its layout; None where there is none."""
    folder = os.path.join(root, "annotations")
    parts = sorted({os.path.relpath(image.path, root).split(os.sep)[0] for image in images.files})
    names = [f"instances_{part}.json" for part in parts]
    there = [os.path.join(folder, name) for name in names if os.path.isfile(os.path.join(folder, name))]
    return there[0] if len(there) == 1 == len(parts) else None


def truth_of_record(features: Mapping[str, Any]) -> Boxes | Mask | None:
    """The boxes or pixels of a record as TensorFlow's object detection or DeepLab write it, or None."""
    if _PIXELS in features and features[_PIXELS].bytes_list.value:
        return Mask(features[_PIXELS].bytes_list.value[0])
    if _OBJECT not in features or any(_BOX + side not in features for side in _SIDES):
        return None
    sides = [np.array(features[_BOX + side].float_list.value, np.float64) for side in _SIDES]
    classes = np.array(features[_OBJECT].int64_list.value, np.int64)
    if any(len(side) != len(classes) for side in sides):
        return None
    crowd = np.array(features[_CROWD].int64_list.value if _CROWD in features else [], bool)
    return Boxes(
        np.stack(sides, axis=1), classes, crowd if len(crowd) == len(classes) else np.zeros(len(classes), bool)
    )


def _read_boxes(image: Mapping[str, Any], objects: Sequence[Mapping[str, Any]]) -> Boxes:
    width, height = float(image["width"]), float(image["height"])
    if not (0 < width < np.inf and 0 < height < np.inf):
        raise ValueError("an image of %r x %r pixels" % (image["width"], image["height"]))
    found = np.array([entry["bbox"] for entry in objects], np.float64).reshape(-1, 4)
    if not np.isfinite(found).all():
        raise ValueError("a box that is not finite")
    left, top, across, down = found.T
    boxes = np.stack([top / height, left / width, (top + down) / height, (left + across) / width], axis=1)
    classes = np.array([int(entry["category_id"]) for entry in objects], np.int64)
    return Boxes(boxes, classes, np.array([bool(entry.get("iscrowd")) for entry in objects], bool))

"""Folders of images: flat, with a sub-folder for each class, or of COCO's layout."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Dict, Optional, Sequence, Tuple

from intel_quantization.data import images
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.feeds import ImageFeed, image_input, layout_of
from intel_quantization.data.folders import list_names
from intel_quantization.data.formats.data_format import DataFormat, Wanted
from intel_quantization.data.labels import labelled
from intel_quantization.data.preprocess import Mode
from intel_quantization.data.truths import coco_annotations, with_boxes, with_masks
from intel_quantization.errors import BadInputError


class ImageFolder(DataFormat):
    """Images, which may lie beside files of other formats, such as their labels."""

    def find(self, path: str) -> Tuple[str, ...]:
        """The folder itself; of one image its name, to refuse it by."""
        names = list_names(path) if os.path.isdir(path) else [path]
        return (path,) if any(name.lower().endswith(images.EXTENSIONS) for name in names) else ()

    def open(self, found: Sequence[str], wanted: Wanted) -> Dataset:
        """The images of one folder, or of its sub-folders."""
        (path,) = found
        if not os.path.isdir(path):
            raise BadInputError(f"{path} is one image", "give --data_location the folder that it is in")
        tensor, constants = image_input(wanted.inputs)
        labels, warnings = wanted.labels, []
        pictures, numbered, problem = _discover(path, labels)
        if problem:
            warnings.append(problem)
        kind = f"in {len(pictures.classes)} class folders" if pictures.classes else "in a flat folder"
        if labels is not None:
            kind = f"with labels of {os.path.basename(labels)}"
        if pictures.ignored:
            warnings.append(f"{pictures.ignored} sub-folders are ignored, as there are images beside them")
        return Dataset(
            f"{len(pictures.files)} images {kind}",
            len(pictures.files),
            images.split(pictures.files, wanted.samples, wanted.evaluate, wanted.seed),
            Labelling(len(pictures.classes), numbered),
            layout_of(tensor),
            partial(make_image_feed, tensor, constants),
            tuple(warnings),
        )


FORMAT = ImageFolder()


def make_image_feed(
    tensor: Any, constants: Dict[str, Any], part: Any, mode: Mode, batch_size: Optional[int]
) -> ImageFeed:
    """A feed of some images, with what else the graph is fed."""
    return ImageFeed(None, tensor, mode, batch_size, part, constants)


def _discover(path: str, labels: Optional[str]) -> Tuple[images.Images, bool, str]:
    """(the images with what is right for each, whether labels are numbers of classes, what could not be read)."""
    coco = images.discover_coco(path)
    found = coco or images.discover(path)
    if labels is None:
        boxes = None if coco is None else coco_annotations(path, coco)
        if coco is None or boxes is None:
            return found, False, ""
        try:
            return with_boxes(coco, boxes), False, ""
        except BadInputError as error:  # nobody asked for them
            return found, False, f"the boxes of the images are not read: {error.message}"
    if os.path.isdir(labels):
        return with_masks(found, labels), False, ""
    if labels.lower().endswith(".json"):
        return with_boxes(found, labels), False, ""
    return (*labelled(found, path, labels), "")

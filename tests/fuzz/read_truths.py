"""Labels that are more than a class: COCO's JSON of boxes, and maps of pixels; read, and judged by."""

from __future__ import annotations

import io
import json
import os

import numpy as np

from intel_quantization.data.images import Image, Images
from intel_quantization.data.truth import Mask
from intel_quantization.data.truths import with_boxes
from intel_quantization.measure.average_precision import Detected, Matched
from intel_quantization.measure.mean_iou import MeanIoU
from tests.fuzz import seeds
from tests.fuzz.reader import Reader

_NAMES = ("a.png", "b.png")
_COCO = {
    "images": [{"id": number, "file_name": name, "width": 8, "height": 6} for number, name in enumerate(_NAMES)],
    "annotations": [
        {"image_id": 0, "category_id": 1, "bbox": [1, 2, 3.5, 2], "iscrowd": 0},
        {"image_id": 1, "category_id": 2, "bbox": [0, 0, 8, 6], "iscrowd": 1},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
}
_FOUND = Detected(np.array([[0.3, 0.1, 0.6, 0.5], [0.0, 0.0, 1.0, 1.0]]), np.array([0.9, 0.8]), np.array([1, 2]))


def truth_readers() -> dict[str, Reader]:
    """By name."""
    maps = (seeds.gray_png(), _npy(np.uint8), _npy(np.int64))
    return {"boxes": Reader(_boxes, (json.dumps(_COCO).encode(),)), "maps of pixels": Reader(_maps, maps)}


def _npy(dtype: type) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(20).reshape(4, 5).astype(dtype))
    return stream.getvalue()


def _boxes(folder: str, data: bytes) -> None:
    path = os.path.join(folder, "labels.json")
    with open(path, "wb") as stream:
        stream.write(data)
    found = with_boxes(Images(tuple(Image(os.path.join(folder, name)) for name in _NAMES)), path)
    truths = [image.truth for image in found.files]
    assert np.isfinite(Matched(truths, [_FOUND] * len(truths), (1, 2)).precision()).all()


class _Whole:
    """A map of 6 x 8 pixels of class 1, whatever a graph gives."""

    def size(self, output: np.ndarray) -> tuple[int, int]:
        """Height and width."""
        del output
        return 6, 8

    def classes(self, output: np.ndarray) -> np.ndarray:
        """[samples, pixels]"""
        return np.ones((len(output), 48), np.int64)


def _maps(folder: str, data: bytes) -> None:
    path = os.path.join(folder, "a.npy" if data.startswith(b"\x93NUMPY") else "a.png")
    with open(path, "wb") as stream:
        stream.write(data)
    measure = MeanIoU(0, _Whole())  # type: ignore[arg-type]
    outputs = [np.zeros((1, 6, 8, 3), np.float32)]
    measure.add(outputs, outputs, [Image("a", truth=Mask(path))])
    assert measure.finish() is not None

"""COCO AP of a detector before and after quantization, on the 128 images of ../shared.

Each half of the images is what calibrates for the other half, so that every image counts and none is among
those that its INT8 graph was calibrated on. The evaluation is COCO's own, pycocotools.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from intel_quantization.calibration.feeds import ImageFeed
from intel_quantization.calibration.images import Image
from intel_quantization.runner import Runner

OUTPUTS = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")


class Truth:
    """The labelled boxes.

    Args:
        path: COCO's instances as JSON.
        categories: class number of the graph -> COCO's category, where they differ; what is not named counts not.
    """

    def __init__(self, path: Path, categories: dict[int, int] | None = None) -> None:
        data = json.loads(path.read_text())
        self._categories = categories or {entry["id"]: entry["id"] for entry in data["categories"]}
        self._images = {entry["file_name"]: entry for entry in data["images"]}
        self._coco = COCO()
        self._coco.dataset = data
        with contextlib.redirect_stdout(io.StringIO()):
            self._coco.createIndex()

    def detections(self, runner: Runner, feed: ImageFeed) -> list[dict[str, object]]:
        """What a graph, asked for OUTPUTS, finds in the images of a feed: COCO's results format."""
        found: list[dict[str, object]] = []
        for batch in feed.batches():
            boxes, scores, classes, counts = (np.asarray(value) for value in runner.run(batch.feed))
            for row, image in enumerate(batch.images):
                entry = self._images[Path(image.path).name]
                for number in range(int(counts.reshape(-1)[row])):
                    category = self._categories.get(int(classes[row, number]))
                    if category is None:
                        continue
                    size = np.array([entry["height"], entry["width"]] * 2)
                    top, left, bottom, right = (float(value) for value in boxes[row, number] * size)
                    found.append(
                        {
                            "image_id": entry["id"],
                            "category_id": category,
                            "bbox": [left, top, right - left, bottom - top],
                            "score": float(scores[row, number]),
                        }
                    )
        return found

    def ap(self, found: list[dict[str, object]]) -> tuple[float, float]:
        """AP at IoU 0.50 to 0.95, and at 0.50, in percent, over the graph's classes."""
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self._coco, self._coco.loadRes(found), "bbox")
            evaluation.params.catIds = sorted(set(self._categories.values()))
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return 100 * float(evaluation.stats[0]), 100 * float(evaluation.stats[1])


def compare(
    truth: Truth,
    images: Sequence[Image],
    convert: Callable[[Sequence[Image]], tuple[object, object]],
    feed: Callable[[Sequence[Image]], ImageFeed],
) -> dict[str, float]:
    """AP of both graphs.

    Args:
        truth: the labels.
        images: in a random order.
        convert: gives the FP32 and the INT8 graph, calibrated on some images.
        feed: the feed of some images.
    """
    half = len(images) // 2
    before: list[dict[str, object]] = []
    after: list[dict[str, object]] = []
    for chosen, others in ((images[:half], images[half:]), (images[half:], images[:half])):
        for graph, found in zip(convert(chosen), (before, after), strict=True):
            with Runner(graph, OUTPUTS, 1) as runner:
                found.extend(truth.detections(runner, feed(others)))
    (ap, ap50), (ap_int8, ap50_int8) = truth.ap(before), truth.ap(after)
    return {"images": len(images), "ap": ap, "ap_int8": ap_int8, "ap50": ap50, "ap50_int8": ap50_int8}

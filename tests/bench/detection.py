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
from typing import TYPE_CHECKING

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

if TYPE_CHECKING:
    from intel_quantization.data.feeds import ImageFeed
    from intel_quantization.data.images import Image
    from intel_quantization.measure.runner import Runner

OUTPUTS = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")
_MOST = 100  # detections of an image that count


class Evaluated:
    """Detections that are matched with the labelled boxes, image by image.

    Args:
        evaluation: after ``evaluate``, with one range of areas.
        ids: file name -> image.
    """

    def __init__(self, evaluation: COCOeval, ids: dict[str, int]) -> None:
        self._evaluation, self._ids = evaluation, ids
        self._images = list(evaluation.params.imgIds)
        self._matches = np.array(evaluation.evalImgs, object).reshape(-1, len(self._images))

    def ap(self, names: Sequence[str]) -> tuple[float, float]:
        """AP at IoU 0.50 to 0.95, and at 0.50, in percent, over the graph's classes, of some of the images."""
        evaluation, wanted = self._evaluation, {self._ids[name] for name in names}
        kept = [number for number, image in enumerate(self._images) if image in wanted]
        images = [self._images[number] for number in kept]
        evaluation.evalImgs = self._matches[:, kept].reshape(-1).tolist()
        evaluation.params.imgIds = evaluation._paramsEval.imgIds = images
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        precision = evaluation.eval["precision"]
        return tuple(100 * float(part[part > -1].mean()) for part in (precision, precision[0]))


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

    def found(self, name: str, outputs: Sequence[np.ndarray], row: int) -> list[dict[str, object]]:
        """What a graph, asked for OUTPUTS, finds in one image of a batch: COCO's results format."""
        boxes, scores, classes, counts = outputs
        entry = self._images[name]
        result: list[dict[str, object]] = []
        for number in range(int(counts.reshape(-1)[row])):
            category = self._categories.get(int(classes[row, number]))
            if category is None:
                continue
            size = np.array([entry["height"], entry["width"]] * 2)
            top, left, bottom, right = (float(value) for value in boxes[row, number] * size)
            box = [left, top, right - left, bottom - top]
            result.append(
                {
                    "image_id": entry["id"],
                    "category_id": category,
                    "bbox": box,
                    "score": float(scores[row, number]),
                }
            )
        return result

    def detections(self, runner: Runner, feed: ImageFeed) -> list[dict[str, object]]:
        """What a graph, asked for OUTPUTS, finds in the images of a feed."""
        result: list[dict[str, object]] = []
        for batch in feed.batches():
            outputs = [np.asarray(value) for value in runner.run(batch.feed)]
            for row, image in enumerate(batch.images):
                result.extend(self.found(Path(image.path).name, outputs, row))
        return result

    def evaluate(self, found: list[dict[str, object]]) -> Evaluated:
        """Match detections with the labelled boxes."""
        with contextlib.redirect_stdout(io.StringIO()):
            # without any detection COCO's own loader fails: one that no category counts stands for none
            none = [
                {"image_id": entry["id"], "category_id": -1, "bbox": [0, 0, 1, 1], "score": 0.0}
                for entry in list(self._images.values())[:1]
            ]
            evaluation = COCOeval(self._coco, self._coco.loadRes(found or none), "bbox")
            evaluation.params.catIds = sorted(set(self._categories.values()))
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
            evaluation.params.maxDets = [_MOST]
            evaluation.evaluate()
        return Evaluated(evaluation, {name: entry["id"] for name, entry in self._images.items()})

    def ap(self, found: list[dict[str, object]]) -> tuple[float, float]:
        """AP at IoU 0.50 to 0.95, and at 0.50, in percent, over the graph's classes."""
        return self.evaluate(found).ap(list(self._images))


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
    from intel_quantization.measure.runner import Runner

    half = len(images) // 2
    before: list[dict[str, object]] = []
    after: list[dict[str, object]] = []
    for chosen, others in ((images[:half], images[half:]), (images[half:], images[:half])):
        for graph, found in zip(convert(chosen), (before, after), strict=True):
            with Runner(graph, OUTPUTS, 1) as runner:
                found.extend(truth.detections(runner, feed(others)))
    (ap, ap50), (ap_int8, ap50_int8) = truth.ap(before), truth.ap(after)
    return {"images": len(images), "ap": ap, "ap_int8": ap_int8, "ap50": ap50, "ap50_int8": ap50_int8}

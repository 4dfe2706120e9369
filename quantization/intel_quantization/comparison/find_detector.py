"""Which outputs are a detector's: by the names of the Object Detection API, else by their shapes and values."""

from __future__ import annotations

from intel_quantization.comparison.anchors import Anchors
from intel_quantization.comparison.detections import Detections, Members
from intel_quantization.comparison.output import Output, Task, holds_distributions, is_whole, is_within_one

_API = {"boxes": "detection_boxes", "scores": "detection_scores", "classes": "detection_classes"}
_COUNTS = "num_detections"


def find_detector(found: list[Output]) -> list[Task]:
    """The outputs of the Object Detection API by their names, else those that have the shapes of a detector's."""
    named = {role: [output for output in found if output.last == name] for role, name in _API.items()}
    boxes, scores, classes = (named[role] for role in ("boxes", "scores", "classes"))
    if not (boxes and scores):
        boxes = [output for output in found if _is_boxes(output)]
        scores = [output for output in found if boxes and _is_scores(output, boxes[0])]
        raw = [output for output in found if boxes and _is_anchor_scores(output, boxes[0])]
        if len(boxes) == 1 and not scores and len(raw) == 1:
            pair = (boxes[0], raw[0])
            anchors = Anchors(tuple(output.name for output in pair), 0, 1, holds_distributions(raw[0].first))
            return [Task(tuple(output.index for output in pair), anchors)]
        classes = [output for output in found if boxes and _is_classes(output, boxes[0])]
        scores = [output for output in scores if output not in classes]
    if len(boxes) != 1 or len(scores) != 1:
        return []
    members = [boxes[0], scores[0], *classes[:1]]
    counts = [output for output in found if output not in members and _is_count(output, boxes[0])]
    members += counts[:1]
    places = Members(0, 1, 2 if classes else None, len(members) - 1 if counts else None)
    names = tuple(output.name for output in members)
    return [Task(tuple(output.index for output in members), Detections(names, places))]


def _is_boxes(output: Output) -> bool:
    array = output.first
    return array.dtype.kind == "f" and array.ndim == 3 and array.shape[2] == 4


def _same_places(output: Output, boxes: Output) -> bool:
    """Whether each box has one value in ``output``."""
    return all(array.shape[:2] == box.shape[:2] for array, box in zip(output.arrays, boxes.arrays))


def _is_scores(output: Output, boxes: Output) -> bool:
    return (
        output.first.dtype.kind == "f"
        and output.first.ndim == 2
        and _same_places(output, boxes)
        and is_within_one(output)
    )


def _is_classes(output: Output, boxes: Output) -> bool:
    if output.first.ndim != 2 or not _same_places(output, boxes):
        return False
    return is_whole(output) and (output.first.dtype.kind in "iu" or not is_within_one(output))


def _is_anchor_scores(output: Output, boxes: Output) -> bool:
    array = output.first
    fits = array.dtype.kind == "f" and array.ndim == 3 and output is not boxes and _same_places(output, boxes)
    return fits and is_within_one(output)


def _is_count(output: Output, boxes: Output) -> bool:
    if output.last == _COUNTS:
        return True
    return (
        is_whole(output)
        and output.first.size == len(output.first) == len(boxes.first)
        and output.first.max() <= boxes.first.shape[1]
    )

"""Which metrics there are, by what the labels are and what the graph gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Sequence

import numpy as np

from intel_quantization.comparison.class_map import ClassMap
from intel_quantization.comparison.detections import Detections
from intel_quantization.comparison.recognise import recognise
from intel_quantization.data.truth import Boxes, Mask
from intel_quantization.measure.detection import AveragePrecision
from intel_quantization.measure.mean_iou import MeanIoU
from intel_quantization.measure.paired import Paired


class Measure(ABC):
    """Gathers both graphs' outputs batch by batch, and tells a figure of both."""

    @abstractmethod
    def add(self, before: Sequence[np.ndarray], after: Sequence[np.ndarray], images: Sequence[Any]) -> None:
        """The outputs of both graphs for a batch, and its samples."""

    @abstractmethod
    def finish(self) -> Paired | None:
        """None where there was nothing to measure."""


def measures_for(
    names: Sequence[str], outputs: list[np.ndarray], images: Sequence[Any], feed: dict[str, np.ndarray]
) -> list[Any]:
    """The measures that the labels of a batch ask for; class numbers are not among them.

    Args:
        names: of the outputs.
        outputs: what FP32 gives for the batch.
        images: its samples.
        feed: what was fed.
    """
    kinds = {type(image.truth) for image in images}
    if not kinds & {Boxes, Mask}:
        return []
    found: list[Any] = []
    for task in recognise(names, [outputs]):
        if Boxes in kinds and isinstance(task.comparer, Detections):
            found.append(AveragePrecision(task.indices, task.comparer, _find_size(feed)))
        elif Mask in kinds and isinstance(task.comparer, ClassMap):
            found.append(MeanIoU(task.indices[0], task.comparer))
    return found[:1]


def _find_size(feed: dict[str, np.ndarray]) -> tuple[int, int]:
    """Height and width of the picture that is fed, 1 where none is."""
    shapes = [np.shape(value) for value in feed.values() if np.ndim(value) == 4]
    if not shapes:
        return 1, 1
    shape = shapes[0]
    return (shape[2], shape[3]) if shape[1] in (1, 3) and shape[3] not in (1, 3) else (shape[1], shape[2])

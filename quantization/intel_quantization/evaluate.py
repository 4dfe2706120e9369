"""What a graph gives for images, and how much an INT8 graph differs from its FP32 original."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intel_quantization import outputs
from intel_quantization.errors import QuantizationError

_NAN_REMEDY = "report this with the graph; --excluded_ops or --excluded_nodes may go around it"
UNLABELLED = outputs.Labelling()
_MOST_DB = 200.0  # equal to the last bit: JSON has no infinity


@dataclass(frozen=True)
class Accuracy:
    """INT8 against FP32 on the same images.

    Attributes:
        images: how many.
        labelled: whether top-1 could be told.
        top1_fp32, top1_int8: percent right; None unless labelled.
        agreement: percent of images with the same best class; None if no output scores classes.
        sqnr_db: signal to quantization noise in dB, of the centred log-softmax for classes, else of all float outputs
            whose shapes agree; None if there are none.
    """

    images: int
    labelled: bool
    top1_fp32: float | None
    top1_int8: float | None
    agreement: float | None
    sqnr_db: float | None


class _Noise:
    """Sums signal and noise power over batches."""

    def __init__(self) -> None:
        self._signal = 0.0
        self._noise = 0.0
        self._seen = False

    def add(self, reference: np.ndarray, other: np.ndarray) -> None:
        reference = reference.astype(np.float64)
        self._signal += float(np.square(reference).sum())
        self._noise += float(np.square(reference - other.astype(np.float64)).sum())
        self._seen = True

    def decibels(self) -> float | None:
        if not self._seen or not np.isfinite(self._noise):
            return None
        if self._noise == 0:
            return _MOST_DB
        if self._signal == 0:
            return -_MOST_DB
        return float(np.clip(10 * np.log10(self._signal / self._noise), -_MOST_DB, _MOST_DB))


def compare(fp32, int8, feed, labelling: outputs.Labelling = UNLABELLED, on_progress=None) -> Accuracy:
    """Run both graphs over the images of ``feed`` and compare their outputs.

    Args:
        fp32, int8: Runners that give the same outputs in the same order.
        feed: as a Dataset makes it; its images carry the labels.
        labelling: what the labels mean.
        on_progress: callable(images done).

    Raises:
        QuantizationError: an INT8 score is not finite where the FP32 one is, or a graph does not run.
    """
    classes = None
    images = 0
    answers: list = []  # the best class of each image, of both graphs
    labels: list = []
    noise = _Noise()
    for batch in feed.batches():
        count = len(batch.images)
        before, after = fp32.run(batch.feed), int8.run(batch.feed)
        if images == 0:
            classes = outputs.find_classes(before)
        images += count
        rows = None if classes is None else _class_rows(classes, before, after, count)
        if classes is None or rows is None:
            _add_plain(noise, before, after)
        else:
            noise.add(*(outputs.log_scores(each, classes.probabilities) for each in rows))
            answers.append(np.stack([each.argmax(axis=1) for each in rows]))
            labels.extend(image.label for image in batch.images)
        if on_progress is not None:
            on_progress(images)
    best = np.concatenate(answers, axis=1) if answers else np.zeros((2, 0), int)
    agreement = None if classes is None else 100.0 * int((best[0] == best[1]).sum()) / images
    offset = None if classes is None else outputs.best_offset(labelling, classes.count, labels, best[0])
    if offset is None or len(labels) < images:
        return Accuracy(images, False, None, None, agreement, noise.decibels())
    right = 100.0 * (best == np.array(labels) + offset).mean(axis=1)
    return Accuracy(images, True, float(right[0]), float(right[1]), agreement, noise.decibels())


def _class_rows(classes, before: list, after: list, count: int):
    """The class scores [count, C] of both graphs; None where their shapes differ, as a detector's may."""
    fp32, int8 = (outputs.scores(np.asarray(result[classes.index])) for result in (before, after))
    if fp32 is None or int8 is None or fp32.shape != int8.shape:
        return None
    fp32, int8 = fp32[:count], int8[:count]
    if np.isfinite(fp32).all() and not np.isfinite(int8).all():
        raise QuantizationError("the INT8 graph gives NaN or infinity where the FP32 graph does not", _NAN_REMEDY)
    return fp32, int8


def _add_plain(noise: _Noise, before: list, after: list) -> None:
    for reference, other in zip(map(np.asarray, before), map(np.asarray, after)):
        if reference.dtype.kind == "f" and reference.shape == other.shape and reference.size:
            noise.add(reference, other)

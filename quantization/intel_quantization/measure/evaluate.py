"""What a graph gives for images, and how much an INT8 graph differs from its FP32 original."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Sequence

import numpy as np

from intel_quantization.comparison.bounds import Drop
from intel_quantization.comparison.comparison import Comparison
from intel_quantization.comparison.findings import VERDICTS, Concern, Findings
from intel_quantization.comparison.labelled import drop_of, judge_drop, judge_labels
from intel_quantization.comparison.noise import Noise
from intel_quantization.data import class_scores
from intel_quantization.data.dataset import batch_of
from intel_quantization.data.feeds import Batch
from intel_quantization.data.images import Image
from intel_quantization.errors import QuantizationError
from intel_quantization.measure.choose import measures_for
from intel_quantization.measure.custom import Custom
from intel_quantization.measure.differing import Differing, Differs
from intel_quantization.measure.paired import Paired, paired_shares
from intel_quantization.measure.runner import Answering
from intel_quantization.measure.verdict import Verdict, judge, judge_answers, undecided

_NAN_REMEDY = "report this with the graph; --excluded_ops or --excluded_nodes may go around it"
UNLABELLED = class_scores.Labelling()
_FIRST = 5  # classes, among which the right one is


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
        drop: of top-1, paired, with its 95 % interval; None unless labelled.
        findings: of each output, compared as what it is.
        concerns: what labels say.
        unit: what the images are called, for people; there may be rows of an array, or samples of a function.
        measures: each metric that labels allow, of both graphs and their difference; the first is the one to judge by.
        differing: the samples on which the answers differ most.
    """

    images: int
    labelled: bool
    top1_fp32: float | None
    top1_int8: float | None
    agreement: float | None
    sqnr_db: float | None
    drop: Drop | None = None
    findings: tuple[Findings, ...] = ()
    concerns: tuple[Concern, ...] = ()
    unit: str = "images"
    measures: tuple[Paired, ...] = ()
    differing: tuple[Differs, ...] = ()

    def verdict(self, max_drop: float) -> Verdict:
        """Whether the INT8 graph has lost no more than ``max_drop`` points."""
        if self.measures:
            return judge(self.measures[0], max_drop, self.unit)
        if self.agreement is not None:
            return judge_answers(self.agreement, self.images, max_drop, self.unit)
        return undecided(max_drop, f"without labels of these {self.unit}, or a --metric, nobody knows what is right")

    def as_dict(self, most: int | None = None) -> dict[str, Any]:
        """JSON-ready, without the concerns, of which :func:`intel_quantization.comparison.alarms.alarms_of` tells.

        Args:
            most: outputs to name, the worst first; None: all.
        """
        drop = self.drop
        findings = sorted(self.findings, key=lambda each: VERDICTS.index(each.verdict))
        return {
            "images": self.images,
            "unit": self.unit,
            "labelled": self.labelled,
            "top1_fp32": self.top1_fp32,
            "top1_int8": self.top1_int8,
            "agreement": self.agreement,
            "sqnr_db": self.sqnr_db,
            "drop": None if drop is None else {"points": drop.points, "low": drop.low, "high": drop.high},
            "measures": [each.as_dict() for each in self.measures],
            "outputs": [
                {
                    "outputs": list(each.outputs),
                    "kind": each.kind,
                    "samples": each.samples,
                    "verdict": each.verdict,
                    "text": each.text,
                    "figures": each.figures,
                }
                for each in findings[:most]
            ],
        }


class _Classified:
    """What both graphs answer, by the output that scores classes, with the labels and the noise of the scores."""

    def __init__(self, classes: class_scores.Classes) -> None:
        self._classes = classes
        self._best: list[np.ndarray] = []
        self._first: list[np.ndarray] = []  # the best classes, [graphs, samples, _FIRST]
        self._labels: list[int | None] = []
        self.noise = Noise()

    def add(self, before: list[np.ndarray], after: list[np.ndarray], images: Sequence[Image]) -> bool:
        """False where the shapes of the scores differ, as a detector's may."""
        fp32, int8 = (class_scores.scores(result[self._classes.index]) for result in (before, after))
        if fp32 is None or int8 is None or fp32.shape != int8.shape:
            return False
        own = [each[: len(images)] for each in (fp32, int8)]
        self.noise.add(*(class_scores.log_scores(each, self._classes.probabilities) for each in own))
        self._best.append(np.stack([each.argmax(axis=1) for each in own]))
        if self._classes.count > _FIRST:
            self._first.append(np.stack([np.argpartition(-each, _FIRST)[:, :_FIRST] for each in own]))
        self._labels.extend(image.label for image in images)
        return True

    def accuracy(self, images: int, labelling: class_scores.Labelling, findings: tuple[Findings, ...]) -> Accuracy:
        """What is known of all ``images``."""
        best = np.concatenate(self._best, axis=1) if self._best else np.zeros((2, 0), int)
        agreement = 100.0 * int((best[0] == best[1]).sum()) / images
        noise, count = self.noise.decibels(), self._classes.count
        offset = class_scores.best_offset(labelling, count, self._labels, best[0])
        if offset is None or len(self._labels) < images:
            return Accuracy(images, False, None, None, agreement, noise, None, findings)
        labels = np.array(self._labels) + offset
        right = best == labels
        drop, (before, after) = drop_of(right), 100.0 * right.mean(axis=1)
        concerns = judge_labels(labels, right[0], count) + judge_drop(drop, images)
        return Accuracy(
            images,
            True,
            float(before),
            float(after),
            agreement,
            noise,
            drop,
            findings,
            concerns,
            measures=self._measures(right, labels),
        )

    def _measures(self, right: np.ndarray, labels: np.ndarray) -> tuple[Paired, ...]:
        found = [_pair_shares("top-1", right)]
        if self._first:
            among = (np.concatenate(self._first, axis=1) == labels[:, np.newaxis]).any(axis=2)
            found.append(_pair_shares(f"top-{_FIRST}", among))
        return tuple(found)


def _pair_shares(name: str, right: np.ndarray) -> Paired:
    before, after = right
    only_fp32, only_int8 = int((before & ~after).sum()), int((after & ~before).sum())
    return paired_shares(name, only_fp32, only_int8, int((before & after).sum()), len(before))


def compare(
    fp32: Answering,
    int8: Answering,
    feed: Any,
    labelling: class_scores.Labelling = UNLABELLED,
    on_progress: Callable[[int], None] | None = None,
    names: Sequence[str] = (),
    custom: Custom | None = None,
    differing: Differing | None = None,
) -> Accuracy:
    """Run both graphs over the images of ``feed`` and compare their outputs.

    Args:
        fp32, int8: give the same outputs in the same order.
        feed: as a Dataset makes it; its images carry the labels.
        labelling: what the labels mean.
        on_progress: callable(images done).
        names: of the outputs.
        custom: a metric of the user's.
        differing: is shown all samples.

    Raises:
        BadInputError: the user's metric fails.
        QuantizationError: an INT8 value is not finite where the FP32 graph's are, or a graph does not run.
    """
    found = _Compared(names, custom, differing)
    for batch in feed.batches():
        before, after = (list(map(np.asarray, runner.run(batch.feed))) for runner in (fp32, int8))
        _check_finite(before, after)
        found.add(batch, before, after)
        if on_progress is not None:
            on_progress(found.images)
    return found.finish(labelling)


class _Compared:
    """All that is made of the answers of both graphs, batch by batch."""

    def __init__(self, names: Sequence[str], custom: Custom | None, differing: Differing | None) -> None:
        self.images = 0
        self._names = names
        self._custom = custom
        self._differing = differing
        self._comparison: Comparison | None = None
        self._classified: _Classified | None = None
        self._measures: list[Any] = []
        self._plain = Noise()  # of what is no scores of classes

    def add(self, batch: Batch, before: list[np.ndarray], after: list[np.ndarray]) -> None:
        """The answers for one batch; the first one tells what they are."""
        if self._comparison is None:
            names = self._names or [f"output {number}" for number in range(len(before))]
            self._comparison = Comparison(names)
            self._measures = measures_for(names, before, batch.images, batch.feed)
            classes = class_scores.find_classes(before)
            self._classified = None if classes is None else _Classified(classes)
        self.images += len(batch.images)
        fed = batch_of(batch.feed)
        self._comparison.add(before, after, len(batch.images), fed)
        for measure in self._measures:
            measure.add(before, after, batch.images)
        if self._custom is not None:
            self._custom.add(before, after, batch.images, fed)
        if self._differing is not None:
            self._differing.add(before, after, batch.images, batch.feed, fed)
        if self._classified is None or not self._classified.add(before, after, batch.images):
            _add_plain(self._plain if self._classified is None else self._classified.noise, before, after)

    def finish(self, labelling: class_scores.Labelling) -> Accuracy:
        """What is known of all images."""
        findings = () if self._comparison is None else tuple(self._comparison.finish())
        if self._classified is None:
            found = Accuracy(self.images, False, None, None, None, self._plain.decibels(), None, findings)
        else:
            found = self._classified.accuracy(self.images, labelling, findings)
        told = [measure.finish() for measure in ([self._custom] if self._custom is not None else []) + self._measures]
        return replace(
            found,
            measures=tuple(each for each in told if each is not None) + found.measures,
            differing=() if self._differing is None else self._differing.finish(),
        )


def _check_finite(before: list[np.ndarray], after: list[np.ndarray]) -> None:
    for reference, other in zip(before, after):
        if other.dtype.kind == "f" and not np.isfinite(other).all() and np.isfinite(reference).all():
            raise QuantizationError("the INT8 graph gives NaN or infinity where the FP32 graph does not", _NAN_REMEDY)


def _add_plain(noise: Noise, before: list[np.ndarray], after: list[np.ndarray]) -> None:
    for reference, other in zip(before, after):
        if reference.dtype.kind == "f" and reference.shape == other.shape and reference.size:
            noise.add(reference, other)

"""One way to preprocess, tried: what some images give in the graph, at its outputs and within."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from intel_quantization import outputs
from intel_quantization.graph.session import open_session
from intel_quantization.runner import as_error

_MOST_PLACES = 64


@dataclass(frozen=True)
class Trial:
    """What some images gave under one mode.

    Attributes:
        mode: its name.
        means, squares: tensor -> mean of each channel, and of its square, for each image: float64 [images, channels].
        scores: of classes, float64 [images, C]; None where no output scores classes.
        answers: distributions over classes: ``scores`` where they are, or those of some places of each image,
            as a segmentation or a line of text has them: [images, C] or [images, places, C]; None: no output is one.
        labels: of the images, counted as ``scores`` is; None where they are not known.
    """

    mode: str
    means: Dict[str, np.ndarray]
    squares: Dict[str, np.ndarray]
    scores: Optional[np.ndarray] = None
    answers: Optional[np.ndarray] = None
    labels: Optional[np.ndarray] = None

    def moments(self, tensor: str) -> Tuple[np.ndarray, np.ndarray]:
        """Mean and variance of each channel of a tensor over all images."""
        mean = self.means[tensor].mean(axis=0)
        return mean, np.maximum(self.squares[tensor].mean(axis=0) - np.square(mean), 0.0)

    def take(self, images: Sequence[int]) -> Trial:
        """The same of some of the images only."""
        rows = list(images)
        return replace(
            self,
            means={name: values[rows] for name, values in self.means.items()},
            squares={name: values[rows] for name, values in self.squares.items()},
            scores=None if self.scores is None else self.scores[rows],
            answers=None if self.answers is None else self.answers[rows],
            labels=None if self.labels is None else self.labels[rows],
        )


class Laboratory:
    """A session on the FP32 graph that also gives the moments of some tensors; a context manager.

    Args:
        graph_def: the graph.
        fetches: its outputs.
        watched: tensors [batch, …, channels] within it.
        threads: see :class:`intel_quantization.runner.Runner`.
    """

    def __init__(self, graph_def, fetches: Sequence[str], watched: Sequence[str], threads: Optional[int] = None):
        self._session = open_session(graph_def, threads or 0)
        graph = self._session.graph
        self._outputs = [graph.get_tensor_by_name(name) for name in fetches]
        self._moments: Dict[str, list] = {}
        with graph.as_default():
            for name in watched:
                tensor = graph.get_tensor_by_name(name)
                rank = tensor.shape.rank
                axes = list(range(1, rank - 1)) if rank else [1, 2]
                self._moments[name] = [tf.reduce_mean(tensor, axes), tf.reduce_mean(tf.square(tensor), axes)]

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *_exc) -> None:
        self._session.close()

    def run(self, mode: str, feed, labelling: outputs.Labelling) -> Trial:
        """Try the images of a feed; see :class:`Trial`.

        Raises:
            QuantizationError: or one of its subclasses: the graph does not take them.
        """
        moments: List[dict] = []
        given: List[_Answers] = []
        labels: list = []
        for batch in feed.batches():
            count = len(batch.images)
            useful = not given or given[-1].useful
            seen, values = self._run([self._moments, self._outputs if useful else []], batch.feed)
            moments.append({name: [value[:count] for value in pair] for name, pair in seen.items()})
            if useful:
                given.append(_answers(values, count))
            labels.extend(image.label for image in batch.images)
        means, squares = (
            {name: np.concatenate([each[name][place] for each in moments]).astype(np.float64) for name in self._moments}
            for place in (0, 1)
        )
        found = _joined(given)
        known = None
        if found.scores is not None:
            best = found.scores.argmax(axis=1)
            offset = outputs.best_offset(labelling, found.scores.shape[1], labels, best)
            known = None if offset is None else np.array(labels) + offset
        return Trial(mode, means, squares, found.scores, found.answers, known)

    def _run(self, fetches, feed: dict):
        try:
            return self._session.run(fetches, feed)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise as_error(error, "the FP32 graph") from None


@dataclass(frozen=True)
class _Answers:
    """``scores`` and ``answers`` of a Trial."""

    scores: Optional[np.ndarray] = None
    answers: Optional[np.ndarray] = None

    @property
    def useful(self) -> bool:
        return self.scores is not None or self.answers is not None


def _answers(values: Sequence[np.ndarray], count: int) -> _Answers:
    """What the outputs of one batch say of its first ``count`` images."""
    arrays = [np.asarray(value) for value in values]
    classes = outputs.find_classes(arrays)
    if classes is not None:
        rows = outputs.scores(arrays[classes.index])
        if rows is None:  # an empty array: a detector that found nothing
            return _Answers()
        return _Answers(rows[:count], rows[:count] if classes.probabilities else None)
    return _Answers(None, next((found for found in (_places(array) for array in arrays) if found is not None), None))


def _places(array: np.ndarray) -> Optional[np.ndarray]:
    """Distributions at some places of each image, [images, places, C]; None where the array holds none."""
    if array.dtype.kind != "f" or array.ndim < 3 or array.shape[-1] < 2 or not array.size:
        return None
    rows = array.reshape(len(array), -1, array.shape[-1])
    rows = rows[:, :: -(-rows.shape[1] // _MOST_PLACES)].astype(np.float64)
    return rows if outputs.is_distribution(rows.reshape(-1, rows.shape[-1])) else None


def _joined(given: Sequence[_Answers]) -> _Answers:
    """All batches together; nothing where they differ in kind."""
    scores = [each.scores for each in given if each.scores is not None]
    answers = [each.answers for each in given if each.answers is not None]
    return _Answers(
        np.concatenate(scores) if len(scores) == len(given) else None,
        np.concatenate(answers) if len(answers) == len(given) else None,
    )

"""One way to preprocess, tried: what some images give in the graph, at its outputs and within."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from intel_quantization import outputs
from intel_quantization.graph.session import open_session
from intel_quantization.runner import as_error

tf1 = tf.compat.v1


@dataclass(frozen=True)
class Trial:
    """What some images gave under one mode.

    Attributes:
        mode: its name.
        means, squares: tensor -> mean of each channel, and of its square, for each image: float64 [images, channels].
        scores: of classes, float64 [images, C]; None where no output scores classes.
        probabilities: whether each row of ``scores`` is a distribution.
        labels: of the images, counted as ``scores`` is; None where they are not known.
    """

    mode: str
    means: Dict[str, np.ndarray]
    squares: Dict[str, np.ndarray]
    scores: Optional[np.ndarray] = None
    probabilities: bool = False
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
        rows: List[np.ndarray] = []
        labels: list = []
        classes = None
        for batch in feed.batches():
            count = len(batch.images)
            fetches = self._outputs if classes is not None or not moments else []
            seen, given = self._run([self._moments, fetches], batch.feed)
            if not moments:
                classes = outputs.find_classes(given)
            moments.append({name: [value[:count] for value in pair] for name, pair in seen.items()})
            scores = None if classes is None else outputs.scores(np.asarray(given[classes.index]))
            classes = None if scores is None else classes  # an empty array: a detector that found nothing
            if scores is not None:
                rows.append(scores[:count])
            labels.extend(image.label for image in batch.images)
        means, squares = (
            {name: np.concatenate([each[name][place] for each in moments]).astype(np.float64) for name in self._moments}
            for place in (0, 1)
        )
        if classes is None:
            return Trial(mode, means, squares)
        scores = np.concatenate(rows)
        offset = outputs.best_offset(labelling, classes.count, labels, scores.argmax(axis=1))
        known = None if offset is None else np.array(labels) + offset
        return Trial(mode, means, squares, scores, classes.probabilities, known)

    def _run(self, fetches, feed: dict):
        try:
            return self._session.run(fetches, feed)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise as_error(error, "the FP32 graph") from None

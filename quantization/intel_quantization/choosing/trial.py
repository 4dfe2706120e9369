"""One way to preprocess, tried: what some images give in the graph, at its outputs and within."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from intel_quantization.choosing.answers import Answers, answers_of, joined
from intel_quantization.data import class_scores
from intel_quantization.graph.session import open_session
from intel_quantization.measure.runner import as_error


@dataclass(frozen=True)
class Trial:
    """What some images gave under one mode.

    Attributes:
        mode: its name.
        means, squares: tensor -> mean of each channel, and of its square, for each image: float64 [images, channels].
        answers: what the outputs say.
        labels: of the images, as the data have them; None for one that has none.
    """

    mode: str
    means: Dict[str, np.ndarray]
    squares: Dict[str, np.ndarray]
    answers: Answers
    labels: Tuple[Optional[int], ...]

    @property
    def images(self) -> int:
        """How many were tried."""
        return len(self.labels)

    def moments(self, tensor: str) -> Tuple[np.ndarray, np.ndarray]:
        """Mean and variance of each channel of a tensor over all images."""
        mean = self.means[tensor].mean(axis=0)
        return mean, np.maximum(self.squares[tensor].mean(axis=0) - np.square(mean), 0.0)

    def right(self, labelling: class_scores.Labelling) -> Optional[np.ndarray]:
        """Which images are told right: bool [images]; None where labels or scores are missing, or do not fit."""
        if self.answers.scores is None:
            return None
        rows = np.nan_to_num(self.answers.scores)
        offset = class_scores.best_offset(labelling, rows.shape[1], self.labels, rows.argmax(axis=1))
        return None if offset is None else class_scores.correct(rows, np.array(self.labels) + offset)

    def take(self, images: Sequence[int]) -> Trial:
        """The same of some of the images only."""
        rows = list(images)
        return Trial(
            self.mode,
            {name: values[rows] for name, values in self.means.items()},
            {name: values[rows] for name, values in self.squares.items()},
            self.answers.take(rows),
            tuple(self.labels[row] for row in rows),
        )

    def with_more(self, other: Trial) -> Trial:
        """The same of the images of both, under the same mode."""
        if not other.images:
            return self
        return Trial(
            self.mode,
            {name: np.concatenate([values, other.means[name]]) for name, values in self.means.items()},
            {name: np.concatenate([values, other.squares[name]]) for name, values in self.squares.items()},
            joined([self.answers, other.answers]),
            self.labels + other.labels,
        )


class Laboratory:
    """A session on the FP32 graph that also gives the moments of some tensors; a context manager.

    Args:
        graph_def: the graph.
        fetches: its outputs.
        watched: tensors [batch, …, channels] within it.
        threads: see :class:`intel_quantization.measure.runner.Runner`.
    """

    def __init__(
        self, graph_def: GraphDef, fetches: Sequence[str], watched: Sequence[str], threads: Optional[int] = None
    ) -> None:
        self._session = open_session(graph_def, threads or 0)
        graph = self._session.graph
        self._outputs = [graph.get_tensor_by_name(name) for name in fetches]
        self._moments: Dict[str, List[Any]] = {}
        with graph.as_default():
            for name in watched:
                tensor = graph.get_tensor_by_name(name)
                rank = tensor.shape.rank
                axes = list(range(1, rank - 1)) if rank else [1, 2]
                self._moments[name] = [tf.reduce_mean(tensor, axes), tf.reduce_mean(tf.square(tensor), axes)]

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def run(self, mode: str, feed: Any) -> Trial:
        """Try the images of a feed; see :class:`Trial`.

        Raises:
            QuantizationError: or one of its subclasses: the graph does not take them.
        """
        moments: List[Dict[str, Any]] = []
        given: List[Answers] = []
        labels: List[Optional[int]] = []
        for batch in feed.batches():
            count = len(batch.images)
            useful = not given or given[-1].useful
            seen, values = self._run([self._moments, self._outputs if useful else []], batch.feed)
            moments.append({name: [value[:count] for value in pair] for name, pair in seen.items()})
            if useful:
                given.append(answers_of(values, count))
            labels.extend(image.label for image in batch.images)
        if not moments:
            return Trial(mode, {}, {}, Answers(), ())
        means, squares = (
            {name: np.concatenate([each[name][place] for each in moments]).astype(np.float64) for name in self._moments}
            for place in (0, 1)
        )
        return Trial(mode, means, squares, joined(given), tuple(labels))

    def _run(self, fetches: Any, feed: Dict[str, np.ndarray]) -> Any:
        try:
            return self._session.run(fetches, feed)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise as_error(error, "the FP32 graph") from None

"""One mode, tried: moments within the graph, and what its outputs say."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.choosing.answers import answers_of
from intel_quantization.choosing.trial import Laboratory
from intel_quantization.data.class_scores import Labelling
from intel_quantization.errors import BadInputError
from tests.quantization.choosing.remembering import Feed

tf1 = tf.compat.v1


def graph(batch):
    with tf.Graph().as_default() as built:
        x = tf1.placeholder(tf.float32, [batch, 4, 4, 3], name="x")
        y = tf.multiply(x, [1.0, 2.0, 3.0], name="y")
        tf.nn.softmax(tf.reduce_mean(y, [1, 2]), name="scores")
    return built.as_graph_def()


def pixels(count):
    return np.random.RandomState(0).uniform(0, 3, (count, 4, 4, 3)).astype(np.float32)


class Padded(Feed):
    """Batches of 8, the last filled with its last picture."""

    def batches(self):
        for batch in super().batches():
            feed = {name: np.concatenate([rows] + [rows[-1:]] * (8 - len(rows))) for name, rows in batch.feed.items()}
            yield type(batch)(feed, batch.images)


@pytest.mark.parametrize(("batch", "kind"), [(None, Feed), (8, Padded)])
def test_moments_and_scores_of_each_image(batch, kind):
    pictures, labels = pixels(10), list(range(10))
    with Laboratory(graph(batch), ["scores:0"], ["y:0"], 1) as laboratory:
        trial = laboratory.run("none", kind(graph(batch), "none", pictures, labels))
    scaled = pictures * np.float32([1, 2, 3])
    mean, variance = trial.moments("y:0")
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, scaled.var((0, 1, 2)), rtol=1e-4)
    assert trial.images == 10
    assert trial.answers.scores.shape == trial.answers.distributions.shape == (10, 3)
    assert trial.right(Labelling()) is None
    answers = trial.answers.scores.argmax(axis=1)
    with Laboratory(graph(batch), ["scores:0"], [], 1) as laboratory:
        right = laboratory.run("none", kind(graph(batch), "none", pictures, answers)).right(Labelling(numbered=True))
    assert right.all()


def test_nothing_tried_is_nothing_seen():
    with Laboratory(graph(None), ["scores:0"], ["y:0"], 1) as laboratory:
        trial = laboratory.run("none", Feed(graph(None), "none", pixels(0)))
        whole = laboratory.run("none", Feed(graph(None), "none", pixels(3)))
    assert trial.images == 0
    assert whole.with_more(trial) is whole


def test_pictures_that_do_not_fit_are_an_error_of_ours():
    with Laboratory(graph(8), ["scores:0"], [], 1) as laboratory, pytest.raises(BadInputError, match="FP32 graph"):
        laboratory.run("none", Feed(graph(None), "none", pixels(3)))


def test_places_of_an_image_are_answers_where_they_are_distributions():
    rows = np.full((2, 20, 30, 5), 0.2, np.float32)
    found = answers_of([rows], 1)
    assert found.scores is None
    assert found.distributions.shape == (1, 60, 5)
    assert not answers_of([rows * 2], 2).useful
    assert not answers_of([np.zeros((2, 8, 8), np.int64)], 2).useful
    assert not answers_of([np.zeros((2, 0, 4), np.float32)], 2).useful

"""Comparing two graphs: labels, agreement, noise, and outputs that are no classes."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data import class_scores
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.feeds import Batch
from intel_quantization.data.images import Image
from intel_quantization.errors import QuantizationError
from intel_quantization.measure.evaluate import compare


class Fake:
    """A Runner whose outputs are a function of the feed's indices."""

    def __init__(self, function):
        self._function = function

    def run(self, feed):
        return self._function(feed["x:0"])


class Feed:
    """Images in batches of ``size``; with ``pad``, the last batch is filled by repetition."""

    def __init__(self, labels, size=4, pad=False):
        self.files = [Image(str(number), label) for number, label in enumerate(labels)]
        self._size, self._pad = size, pad

    def batches(self):
        for start in range(0, len(self.files), self._size):
            images = self.files[start : start + self._size]
            numbers = [int(image.path) for image in images]
            if self._pad:
                numbers += numbers[-1:] * (self._size - len(numbers))
            yield Batch({"x:0": np.array(numbers)}, tuple(images))


def one_hot(classes, answers, sure=0.9):
    """A Runner's function: row i is a distribution whose best class is ``answers[i]``."""
    rows = np.full((len(answers), classes), (1 - sure) / (classes - 1), np.float32)
    rows[np.arange(len(answers)), answers] = sure
    return lambda numbers: [rows[numbers]]


LABELS = [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("pad", [False, True])
def test_top1_and_agreement(pad):
    fp32 = Fake(one_hot(3, [0, 1, 2, 0, 1, 0]))
    int8 = Fake(one_hot(3, [0, 1, 1, 0, 1, 0]))
    seen = []
    result = compare(fp32, int8, Feed(LABELS, pad=pad), Labelling(3), seen.append)
    assert result.images == 6
    assert result.labelled
    assert result.top1_fp32 == pytest.approx(500 / 6)
    assert result.top1_int8 == pytest.approx(400 / 6)
    assert result.agreement == pytest.approx(500 / 6)
    assert seen == [4, 6]


def test_a_background_class_moves_the_labels_by_one():
    fp32 = Fake(one_hot(4, [1, 2, 3, 1, 2, 3]))
    result = compare(fp32, fp32, Feed(LABELS), Labelling(3))
    assert (result.top1_fp32, result.top1_int8) == (100, 100)


@pytest.mark.parametrize("folders", [0, 1, 2, 5])
def test_folders_that_do_not_match_give_agreement_only(folders):
    fp32 = Fake(one_hot(4, LABELS))
    result = compare(fp32, fp32, Feed(LABELS), Labelling(folders))
    assert not result.labelled
    assert (result.top1_fp32, result.top1_int8, result.agreement) == (None, None, 100)


@pytest.mark.parametrize(("first", "classes"), [(0, 3), (1, 3), (0, 4), (1, 4)])
@pytest.mark.parametrize("background", [0, 1])
def test_numbers_are_matched_by_the_fp32_graph(first, classes, background):
    if background and classes == 3:
        background = 0
    fp32 = Fake(one_hot(classes, [label + background for label in LABELS]))
    int8 = Fake(one_hot(classes, [label + background for label in LABELS[:5]] + [0]))
    result = compare(fp32, int8, Feed([label + first for label in LABELS]), Labelling(numbered=True))
    assert (result.top1_fp32, result.top1_int8) == (100, pytest.approx(500 / 6))


@pytest.mark.parametrize("labels", [[0, 1, 2, None, 1, 2], [0, 1, 7, 0, 1, 2], [-3, 1, 2, 0, 1, 2], [None] * 6])
def test_numbers_that_do_not_fit_give_agreement_only(labels):
    fp32 = Fake(one_hot(4, LABELS))
    result = compare(fp32, fp32, Feed(labels), Labelling(numbered=True))
    assert (result.labelled, result.top1_fp32, result.agreement) == (False, None, 100)


def test_noise_is_that_of_the_centred_logarithms():
    rng = np.random.RandomState(0)
    logits = rng.normal(0, 3, (6, 5))
    noise = rng.normal(0, 0.1, (6, 5))

    def softmax(rows):
        return np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)

    def centre(rows):
        return rows - rows.mean(axis=1, keepdims=True)

    expected = 10 * np.log10(np.square(centre(logits)).sum() / np.square(centre(noise)).sum())
    by_probability = compare(
        Fake(lambda n: [softmax(logits)[n]]), Fake(lambda n: [softmax(logits + noise)[n]]), Feed(LABELS)
    )
    by_logits = compare(Fake(lambda n: [logits[n]]), Fake(lambda n: [(logits + noise)[n] + 7]), Feed(LABELS))
    assert by_probability.sqnr_db == pytest.approx(expected, abs=0.01)
    assert by_logits.sqnr_db == pytest.approx(expected, abs=0.01)


def test_equal_outputs_have_a_finite_ratio():
    fp32 = Fake(one_hot(3, LABELS))
    assert compare(fp32, fp32, Feed(LABELS)).sqnr_db == 200


def test_a_detector_gives_plain_noise_over_what_can_be_compared():
    def detect(error):
        def run(numbers):
            found = 3 if error else 2  # the number of detections differs
            boxes = np.ones((1, 10, 4), np.float32) * (1 + error)
            return [boxes, np.ones((1, found), np.float32), np.array([found], np.int64), np.zeros((1, 0), np.float32)]

        return run

    result = compare(Fake(detect(0)), Fake(detect(0.1)), Feed([None] * 3, 1))
    assert result.agreement is None
    assert not result.labelled
    assert result.sqnr_db == pytest.approx(20, abs=0.01)


def test_outputs_without_floats_have_no_noise():
    result = compare(Fake(lambda n: [n]), Fake(lambda n: [n]), Feed([None] * 3))
    assert (result.images, result.agreement, result.sqnr_db) == (3, None, None)


def test_nan_of_the_int8_graph_is_a_failure():
    bad = Fake(lambda n: [np.full((len(n), 3), np.nan, np.float32)])
    with pytest.raises(QuantizationError, match="NaN"):
        compare(Fake(one_hot(3, LABELS)), bad, Feed(LABELS))


def test_the_distribution_is_found_among_several_outputs():
    logits = np.array([[3.0, 1, 0], [0, 5, 1]], np.float32)
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], np.float32)
    found = class_scores.find_classes([logits, np.array([0, 1]), probabilities[:, np.newaxis, np.newaxis]])
    assert (found.index, found.count, found.probabilities) == (2, 3, True)
    assert class_scores.find_classes([logits]).probabilities is False
    assert class_scores.find_classes([logits, logits]) is None
    assert class_scores.find_classes([np.array([0, 1])]) is None

"""Preprocessing: Keras' own numbers, TF-slim's vgg, and choosing one by trying."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization import preprocess, preprocess_choice
from intel_quantization.errors import BadInputError
from intel_quantization.preprocess_choice import Score, choose

PIXELS = np.random.RandomState(0).randint(0, 256, (2, 5, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("mode", ["tf", "caffe", "torch"])
def test_as_keras_does_it(mode):
    expected = tf.keras.applications.imagenet_utils.preprocess_input(PIXELS.copy(), "channels_last", mode)
    result = preprocess.apply(mode, PIXELS)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


def test_vgg_and_none():
    np.testing.assert_allclose(preprocess.apply("vgg", PIXELS), PIXELS - [123.68, 116.78, 103.94], atol=1e-4)
    np.testing.assert_array_equal(preprocess.apply("none", PIXELS), PIXELS)


def test_the_pixels_are_not_changed_in_place():
    before = PIXELS.copy()
    for mode in preprocess.MODES:
        preprocess.apply(mode, PIXELS)
    np.testing.assert_array_equal(PIXELS, before)


def test_what_an_input_can_take():
    assert preprocess.modes_for("uint8", 3) == ("none",)
    assert preprocess.modes_for("float32", 1) == ("tf", "none")
    assert preprocess.modes_for("float32", 3) == preprocess.MODES
    preprocess.check("vgg", "float32", 3)
    with pytest.raises(BadInputError, match="'torch' does not fit"):
        preprocess.check("torch", "float32", 1)


def trial(scores):
    return lambda mode: Score(mode, *scores[mode])


def same(accuracy, information, top):
    return dict.fromkeys(preprocess.MODES, (accuracy, information, top))


def test_pixels_as_they_are_need_no_choice():
    choice = choose(pytest.fail, "uint8", 3)
    assert (choice.mode, choice.certain) == ("none", True)


def test_labels_decide_first():
    scores = dict(same(0.1, 2.0, 0.9), caffe=(0.5, 1.0, 0.2))
    assert choose(trial(scores), "float32", 3).mode == "caffe"


def test_fit_decides_where_labels_are_missing_or_tie():
    saturated = dict(same(None, 1.0, 0.3), none=(None, 0.2, 0.99), vgg=(None, 2.4, 0.6))
    assert choose(trial(saturated), "float32", 3).mode == "vgg"
    close = dict(same(None, 1.0, 0.3), none=(None, 1.52, 0.90), caffe=(None, 1.54, 0.85))
    assert choose(trial(close), "float32", 3).mode == "none"
    tied = dict(same(0.0, 1.0, 0.3), tf=(0.75, 2.6, 0.7), torch=(0.75, 2.3, 0.75))
    choice = choose(trial(tied), "float32", 3)
    assert (choice.mode, choice.certain) == ("tf", True)


def test_a_tie_is_assumed_to_be_tf_and_says_so():
    choice = choose(trial(same(0.5, 1.0, 0.5)), "float32", 3)
    assert (choice.mode, choice.certain) == ("tf", False)
    assert "--preprocess" in choice.message


def test_a_tie_without_tf_takes_one_of_the_tied():
    scores = dict(same(None, 0.1, 0.5), caffe=(None, 2.0, 0.5), vgg=(None, 2.0, 0.5))
    choice = choose(trial(scores), "float32", 3)
    assert (choice.mode, choice.certain) == ("caffe", False)


def test_no_classes_is_assumed_to_be_tf_and_says_so():
    choice = choose(lambda _mode: None, "float32", 3)
    assert (choice.mode, choice.certain) == ("tf", False)
    assert "no distribution" in choice.message
    logits = choose(trial(same(None, None, None)), "float32", 3)
    assert (logits.mode, logits.certain) == ("tf", False)


def test_logits_with_labels_are_told_by_accuracy():
    scores = dict(same(0.2, None, None), torch=(0.9, None, None))
    assert choose(trial(scores), "float32", 3).mode == "torch"


def test_a_network_that_says_the_same_of_everything_has_no_information():
    rows = np.tile([0.98, 0.01, 0.01], (16, 1))
    score = preprocess_choice.score("none", rows, True, None)
    assert score.information == pytest.approx(0, abs=1e-9)
    assert score.top == pytest.approx(0.98)
    sure = np.eye(4)[np.arange(16) % 4]
    assert preprocess_choice.score("tf", sure, True, None).information == pytest.approx(np.log(4))


def test_accuracy_is_a_share_and_nan_is_no_crash():
    rows = np.array([[0.9, 0.1], [0.8, 0.2], [np.nan, np.nan], [0.1, 0.9]])
    score = preprocess_choice.score("tf", rows, True, np.array([0, 1, 1, 1]))
    assert score.accuracy == 0.5
    assert np.isfinite(score.information)


def test_a_few_images_tell_nothing_without_labels():
    assert preprocess_choice.score("tf", np.eye(3), True, None).information is None

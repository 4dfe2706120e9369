"""All evidence together: trials are made up here, and so is what they gave."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.choosing import evidence
from intel_quantization.choosing.answers import Answers
from intel_quantization.choosing.norms import Norm
from intel_quantization.choosing.trial import Trial
from intel_quantization.choosing.verdict import Choice, Material, decide, in_order
from intel_quantization.data.class_scores import Labelling

MODES = ("tf", "caffe", "torch", "vgg", "unit", "none")
NUMBERED = Labelling(numbered=True)


def one_hot(answers, classes=20, sure=0.9):
    rows = np.full((len(answers), classes), (1 - sure) / (classes - 1))
    rows[np.arange(len(answers)), answers] = sure
    return rows


def trial(mode, scores=None, labels=None, mean=0.0, images=16):
    """A trial whose tensor ``t:0`` has this mean in both channels, and variance 1."""
    means = {"t:0": np.full((images, 2), mean)}
    squares = {"t:0": np.full((images, 2), 1 + mean**2)}
    return Trial(mode, means, squares, Answers(scores, scores), tuple(labels or [None] * images))


def norm():
    """Remembers mean 0 and variance 1."""
    one = np.ones(2)
    return Norm("t:0", one, 0 * one, 0 * one, one, 0.0)


LABELS = list(range(16))


def test_labels_decide():
    wrong = one_hot([0] * 16)
    trials = [trial(mode, one_hot(LABELS) if mode == "caffe" else wrong, LABELS) for mode in MODES]
    choice = decide(Material(trials, NUMBERED))
    assert (choice.mode, choice.certain) == ("caffe", True), choice.message
    assert "caffe 100 % right" in choice.message


def test_one_image_more_that_is_right_is_no_proof():
    almost = LABELS[:-1] + [0]
    trials = [trial(mode, one_hot(LABELS if mode == "unit" else almost), LABELS) for mode in MODES]
    choice = decide(Material(trials, NUMBERED))
    assert not choice.certain
    assert "may be as right" in choice.message


def test_answers_decide_without_labels():
    dull = one_hot([3] * 16, sure=0.99)
    trials = [trial(mode, one_hot(LABELS) if mode == "torch" else dull) for mode in MODES]
    choice = decide(Material(trials))
    assert (choice.mode, choice.certain) == ("torch", True), choice.message


def test_a_network_that_says_the_same_of_everything_does_not_win():
    vague = one_hot(LABELS, sure=0.7)
    trials = [trial(mode, vague if mode == "unit" else one_hot([0] * 16, sure=0.999)) for mode in MODES]
    assert decide(Material(trials)).mode == "unit"


def test_two_classes_are_hardly_evidence():
    sure = one_hot([0, 1] * 8, classes=2, sure=1.0)
    less = one_hot([0, 1] * 8, classes=2, sure=0.85)
    trials = [trial(mode, sure if mode == "none" else less) for mode in MODES]
    assert not decide(Material(trials)).certain


def test_batch_norms_go_before_answers():
    trials = [trial(mode, one_hot(LABELS if mode == "none" else [0] * 16), mean=MODES.index(mode)) for mode in MODES]
    choice = decide(Material(trials, norms=(norm(),)))
    assert (choice.mode, choice.certain) == ("tf", True), choice.message
    assert "tf 0.00" in choice.message


def test_labels_and_batch_norms_that_disagree_are_not_sure():
    trials = [
        trial(mode, one_hot(LABELS if mode == "vgg" else [0] * 16), LABELS, mean=2.0 * (mode != "unit"))
        for mode in MODES
    ]
    choice = decide(Material(trials, NUMBERED, norms=(norm(),)))
    assert not choice.certain
    assert choice.mode in ("vgg", "unit")


def test_all_modes_far_from_what_is_remembered_are_not_sure():
    trials = [trial(mode, mean=3.0 if mode == "tf" else 9.0) for mode in MODES]
    choice = decide(Material(trials, norms=(norm(),)))
    assert (choice.mode, choice.certain) == ("tf", False)
    assert "--mean and --std" in choice.message or "may be as right" in choice.message


def test_names_break_ties_only():
    trials = [trial(mode) for mode in MODES]
    choice = decide(Material(trials, hint="vgg"))
    assert (choice.mode, choice.certain) == ("vgg", False)
    assert decide(Material(trials, unlikely=("tf", "none"))).mode != "tf"
    clear = [trial(mode, mean=5.0 * (mode != "tf")) for mode in MODES]
    assert decide(Material(clear, norms=(norm(),), hint="vgg")).mode == "tf"


@pytest.mark.parametrize("certain", [True, False])
def test_the_message_is_one_line_with_the_option(certain):
    trials = [trial(mode, mean=MODES.index(mode) if certain else 0.0) for mode in MODES]
    choice = decide(Material(trials, norms=(norm(),)))
    assert choice.certain is certain
    assert "--preprocess" in choice.message
    assert "\n" not in choice.message
    if not certain:
        assert "give --preprocess tf if it is right, or --preprocess" in choice.message


def test_the_order_of_channels_is_another_only_where_that_is_clear():
    choice, norms = Choice("tf", True, "preprocessing: tf"), (norm(),)
    near, far = trial("tf", mean=0.1), trial("tf", mean=2.0)
    assert in_order(choice, near, far, norms) is choice
    assert in_order(choice, near, near, norms).order is None
    turned = in_order(choice, far, near, norms)
    assert turned.order == "bgr"
    assert "--channel_order rgb overrides" in turned.message


def test_what_is_not_finite_is_no_crash():
    rows = one_hot(LABELS)
    rows[0] = np.nan
    trials = [trial(mode, rows, LABELS, mean=np.nan if mode == "none" else 0.0) for mode in MODES]
    assert decide(Material(trials, NUMBERED, norms=(norm(),))).mode != "none"


def test_few_images_tell_nothing_by_their_answers():
    assert evidence.fit(trial("tf", one_hot([0, 1, 2]), images=3)) is None
    assert evidence.fit(trial("tf", one_hot([0, 1, 2, 3]), images=4)) == pytest.approx(0.9, abs=2)


def test_trials_can_be_cut_and_put_together():
    whole = trial("tf", one_hot(LABELS), LABELS)
    again = whole.take(range(4)).with_more(whole.take(range(4, 16)))
    np.testing.assert_array_equal(again.answers.scores, whole.answers.scores)
    assert (again.labels, again.images) == (whole.labels, 16)
    empty = Trial("tf", {}, {}, Answers(), ())
    assert empty.images == 0

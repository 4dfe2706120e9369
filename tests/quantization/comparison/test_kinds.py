"""Each kind of output: equal, with a little noise, and collapsed; of many samples and of few."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.comparison import Comparison

RNG = np.random.RandomState(1)


def softmax(values):
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)


def logits(*shape):
    return RNG.normal(0, 4, shape).astype(np.float32)


def noisy(values, amount):
    return values + RNG.normal(0, amount, values.shape).astype(np.float32)


def boxes(samples, shift=0.0):
    """Ten boxes side by side in each image, half of them sure; the classes differ between images."""
    left = np.linspace(0, 0.9, 10)[np.newaxis].repeat(samples, 0) + shift
    corners = np.stack([left * 0, left, left * 0 + 0.5, left + 0.1], axis=2).astype(np.float32)
    scores = np.linspace(0.95, 0.05, 10)[np.newaxis].repeat(samples, 0).astype(np.float32)
    classes = (np.arange(10)[np.newaxis] + np.arange(samples)[:, np.newaxis]) % 7
    return [corners, scores, classes.astype(np.float32), np.full(samples, 10, np.float32)]


DETECTOR = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")


def compare(before, after, names=("x:0",), batch=4):
    """Findings of arrays, given batch by batch."""
    comparison = Comparison(names)
    for start in range(0, len(before[0]), batch):
        part = [[array[start : start + batch] for array in arrays] for arrays in (before, after)]
        comparison.add(*part, len(part[0][0]), len(part[0][0]))
    return comparison.finish()


def cases(samples):
    """Kind -> (names, FP32, INT8 with a little noise, INT8 collapsed)."""
    rows, maps, steps = logits(samples, 20), logits(samples, 12, 12, 4), logits(samples, 12, 30)
    answers = RNG.randint(0, 20, samples)
    wrong = (answers + RNG.randint(1, 20, samples)) % 20
    sides = np.round(RNG.uniform(0, 1, (samples, 1))).astype(np.float32)
    features = np.maximum(rows, 0)
    numbers = RNG.normal(100, 3, (samples, 6)).astype(np.float32)
    x = ("x:0",)
    return {
        "scores": (x, [softmax(rows)], [softmax(noisy(rows, 0.1))], [softmax(rows * 0)]),
        "answers": (x, [answers], [answers], [wrong]),
        "decisions": (x, [sides], [np.abs(sides - 0.2)], [sides * 0 + 0.1]),
        "class_map": (x, [softmax(maps)], [softmax(noisy(maps, 0.1))], [softmax(maps[::-1, ::-1])]),
        "sequences": (x, [softmax(steps)], [softmax(noisy(steps, 0.1))], [softmax(steps * 0)]),
        "embedding": (x, [features], [noisy(features, 0.1)], [features * 0 + features.mean(axis=0)]),
        "values": (x, [numbers], [noisy(numbers, 0.3)], [numbers * 0 + 100]),
        "detections": (DETECTOR, boxes(samples), boxes(samples, 0.005), boxes(samples, 0.3)),
    }


KINDS = sorted(cases(8))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [2, 9, 60])
def test_what_is_equal_or_nearly_so_is_fine(kind, samples):
    names, before, near, _ = cases(samples)[kind]
    for after in (before, near):
        (found,) = compare(before, after, names)
        assert (found.kind, found.samples, found.verdict) == (kind, samples, "fine")
        assert found.concerns == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [9, 60])
def test_a_collapse_is_seen(kind, samples):
    names, before, _, broken = cases(samples)[kind]
    (found,) = compare(before, broken, names)
    assert found.verdict == "collapsed", found
    (concern,) = found.concerns
    assert concern.measured < concern.threshold


@pytest.mark.parametrize("wrong", [1, 2])
def test_few_samples_prove_little(wrong):
    rows = np.eye(20, dtype=np.float32)[:12]
    after = rows.copy()
    after[:wrong] = np.roll(rows, 1, axis=1)[:wrong]
    (found,) = compare([0.9 * rows + 0.005], [0.9 * after + 0.005])
    assert not [concern for concern in found.concerns if concern.unit == "%"]


def test_equal_by_chance_is_no_agreement():
    sides = softmax(np.array([[5.0, 0.0]] * 40 + [[0.0, 5.0]] * 20))[RNG.permutation(60)]
    always = softmax(np.array([[3.0, 0.0]] * 60))
    (found,) = compare([sides], [always])
    assert found.figures["agreement"] == pytest.approx(66.7, abs=0.1)
    assert found.verdict == "collapsed"
    assert "by chance" in found.concerns[0].what


@pytest.mark.parametrize("kind", ["scores", "sequences", "class_map", "detections"])
def test_an_fp32_graph_that_always_says_the_same(kind):
    names, before, _, _ = cases(32)[kind]
    stuck = [np.repeat(array[:1], 32, axis=0) for array in before]
    if kind == "class_map":
        stuck[0] = softmax(np.zeros((32, 12, 12, 4)) + [5.0, 0, 0, 0])
    (found,) = compare(stuck, stuck, names)
    assert found.verdict == "fine"
    (concern,) = found.concerns
    assert (concern.severity, concern.cause) == ("alarm", "fp32")
    assert "32 of 32 samples: is the preprocessing right?" in concern.what


@pytest.mark.parametrize("kind", ["embedding", "values"])
def test_numbers_that_never_change(kind):
    names, before, _, _ = cases(32)[kind]
    stuck = [np.repeat(array[:1], 32, axis=0) for array in before]
    (concern,) = compare(stuck, stuck, names)[0].concerns
    assert (concern.severity, concern.cause) == ("alarm", "fp32")


def test_scores_that_hardly_change():
    rows = softmax(np.zeros((32, 20)) + noisy(np.zeros((32, 20), np.float32), 0.05))
    (concern,) = compare([rows], [rows])[0].concerns
    assert (concern.severity, concern.cause, concern.unit) == ("alarm", "fp32", "nats")


def test_a_detector_that_finds_nothing():
    before = boxes(20)
    before[1] *= 0.1
    (found,) = compare(before, before, DETECTOR)
    assert [(concern.severity, concern.cause) for concern in found.concerns] == [("alarm", "fp32")]


def test_all_yes_or_all_no_is_a_notice_unless_another_output_changes():
    sides, rows = np.ones((32, 1), np.float32), softmax(logits(32, 20))
    (found,) = compare([sides], [sides])
    assert [concern.severity for concern in found.concerns] == ["notice"]
    found = compare([sides, rows], [sides, rows], ("face:0", "who:0"))
    assert [each.concerns for each in found] == [(), ()]


def test_boxes_that_fp32_does_not_know():
    before = boxes(20)
    after = [array.copy() for array in before]
    before[1][:, 3:] = 0.01  # INT8 is sure of five, FP32 of three
    after[1][:, 3:] = 0.9
    (found,) = compare(before, after, DETECTOR)
    assert found.figures["found_again"] == 100
    assert found.figures["known_to_fp32"] == pytest.approx(30)
    assert found.verdict == "doubtful"


def test_of_a_detector_only_so_many_as_it_counts():
    before = boxes(20)
    after = [array.copy() for array in before]
    before[3][:] = after[3][:] = 3
    after[0][:, 3:] += 0.5
    (found,) = compare(before, after, DETECTOR)
    assert found.figures["boxes_fp32"] == 60
    assert found.figures["found_again"] == 100


def test_many_labels_of_which_few_are_on():
    rows = (RNG.uniform(0, 1, (40, 50)) > 0.96).astype(np.float32) * 0.98 + 0.01
    (found,) = compare([rows], [rows * 0 + 0.01])
    assert found.figures["decisions"] > 90
    assert found.verdict == "collapsed"


def test_the_rows_that_fill_a_batch_up_do_not_count():
    rows = softmax(logits(4, 20))
    other = rows.copy()
    other[2:] = 1 / 20
    comparison = Comparison(["x:0"])
    comparison.add([rows], [other], 2, 4)
    (found,) = comparison.finish()
    assert (found.samples, found.figures["agreement"]) == (2, 100)


def test_nan_of_fp32_itself_does_not_upset_anything():
    for kind, (names, before, near, _) in cases(20).items():
        if before[0].dtype.kind == "f":
            before[0][3] = np.nan
            assert len(compare(before, near, names)) == 1, kind


def test_every_threshold_pair_is_in_order():
    pairs = [value for value in vars(thresholds).values() if isinstance(value, tuple)]
    assert pairs
    assert all(alarm < notice for alarm, notice in pairs)

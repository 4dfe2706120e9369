"""COCO's average precision, against what pycocotools 2.0 gives for the same boxes."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.comparison.anchors import Anchors
from intel_quantization.comparison.detections import Detections, Members
from intel_quantization.data.images import Image
from intel_quantization.data.truth import Boxes
from intel_quantization.measure.average_precision import Detected, Matched
from intel_quantization.measure.choose import measures_for
from intel_quantization.measure.detection import AveragePrecision, numbering

# pycocotools.cocoeval.COCOeval, one range of areas, maxDets 100, on images of 480 x 640; AP of scenes(seed)
OF_PYCOCOTOOLS = [17.365534, 20.125841, 23.682464, 26.851376, 21.774137, 20.857219, 22.562026, 21.103222, 32.910537]


def corners(low, size):
    return np.concatenate([low, low + size], axis=1)


def scenes(seed, images=12, classes=3):
    """Labelled boxes, some of crowds; and found ones: near these, some of another class, and others."""
    rng = np.random.RandomState(seed)
    truths, found = [], []
    for _ in range(images):
        count = rng.randint(0, 5)
        boxes = corners(rng.uniform(0, 0.6, (count, 2)), rng.uniform(0.1, 0.4, (count, 2)))
        names = rng.randint(1, classes + 1, count)
        truths.append(Boxes(boxes, names, rng.uniform(size=count) < 0.15))
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 0.03, (2 * count, 4))
        right = rng.uniform(size=2 * count) < 0.8
        named = np.where(right, np.repeat(names, 2), rng.randint(1, classes + 1, 2 * count))
        more = rng.randint(0, 4)
        others = corners(rng.uniform(0, 0.6, (more, 2)), rng.uniform(0.1, 0.4, (more, 2)))
        given = np.concatenate([near, others])
        given_names = np.concatenate([named, rng.randint(1, classes + 1, more)])
        given = np.concatenate([np.minimum(given[:, :2], given[:, 2:]), np.maximum(given[:, :2], given[:, 2:])], axis=1)
        found.append(Detected(given, np.round(rng.uniform(size=len(given)), 2), given_names))
    return truths, found


@pytest.mark.parametrize(("seed", "ap"), list(enumerate(OF_PYCOCOTOOLS)))
def test_it_is_that_of_pycocotools(seed, ap):
    truths, found = scenes(seed)
    assert Matched(truths, found, [1, 2, 3]).precision()[0] == pytest.approx(ap, abs=1e-5)


def test_an_image_that_counts_twice_is_as_if_there_were_two():
    truths, found = scenes(1)
    weights = np.array([[2, 0, 1] + [1] * 9, [1] * 12])
    twice = Matched(truths[:1] + truths[:1] + truths[2:], found[:1] + found[:1] + found[2:], [1, 2, 3])
    result = Matched(truths, found, [1, 2, 3]).precision(weights)
    assert result[0] == pytest.approx(twice.precision()[0], abs=0.5)  # equal scores are in another order
    assert result[1] == pytest.approx(OF_PYCOCOTOOLS[1], abs=1e-5)


def test_nothing_found_and_nothing_labelled():
    truths, found = scenes(0)
    nothing = [Detected(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * len(found)
    assert Matched(truths, nothing, [1, 2, 3]).precision()[0] == 0.0
    assert Matched(truths, found, [7]).precision()[0] == 0.0


@pytest.mark.parametrize(
    "names", [{1: 1, 2: 2, 3: 3}, {0: 1, 1: 2, 2: 3}, {1: 17, 2: 44, 3: 90}, {5: 1, 9: 2, 2: 3}], ids=str
)
def test_the_numbers_of_classes_are_found(names):
    truths, found = scenes(3)
    known = {number + 1: label for number, label in enumerate(names.values())}
    truths = [Boxes(each.boxes, np.array([known[c] for c in each.classes], int), each.crowd) for each in truths]
    back = {label: number for number, label in names.items()}
    found = [Detected(each.boxes, each.scores, np.array([back[known[c]] for c in each.classes], int)) for each in found]
    result, classes, _unknown = numbering(truths, found)
    assert {number: result[number] for number in names} == names
    assert classes == sorted(names.values())


def test_of_a_graph_that_knows_one_class_only_that_counts():
    truths, found = scenes(4)
    truths = [Boxes(each.boxes, each.classes + 20, each.crowd) for each in truths]
    kept = [each.classes == 2 for each in found]
    found = [Detected(f.boxes[k], f.scores[k], np.full(k.sum(), 1)) for f, k in zip(found, kept)]
    result, classes, _unknown = numbering(truths, found)
    assert result[1] == 22
    assert classes in ([22], [21, 22, 23])


def of_few_classes(known=(21, 40, 60)):
    """Labels of 80 classes, and a graph that has three of its own, of which the third never finds anything."""
    truths, found = scenes(7, images=30)
    names = dict(zip((1, 2, 3), known))
    others = np.arange(1, 81)
    labelled = []
    for number, each in enumerate(truths):
        classes = np.array([names[int(one)] for one in each.classes] + [others[number % 80], others[-1 - number % 40]])
        boxes = np.concatenate([each.boxes, np.random.RandomState(number).uniform(0.9, 1.0, (2, 4))])
        labelled.append(Boxes(boxes, classes, np.zeros(len(classes), bool)))
    lost = [np.where((each.classes == 3)[:, np.newaxis], each.boxes + 5.0, each.boxes) for each in found]
    return labelled, [Detected(boxes, each.scores, each.classes) for boxes, each in zip(lost, found)]


def test_a_graph_of_few_classes_has_numbers_of_its_own():
    truths, found = of_few_classes()
    assert numbering(truths, found) == ({1: 21, 2: 40}, [21, 40], [3])


def test_a_class_that_finds_nothing_counts_nothing_and_is_told():
    truths, found = of_few_classes()
    measure = AveragePrecision((0, 1, 2, 3), Detections(("a",) * 4, Members(0, 1, 2, 3)), (1, 1))
    measure._truths, measure._found = truths, (found, found)
    result = measure.finish()
    names = [
        Detected(each.boxes, each.scores, np.array([{1: 21, 2: 40, 3: 60}[int(c)] for c in each.classes]))
        for each in found
    ]
    assert result.fp32 == pytest.approx(Matched(truths, names, [21, 40, 60]).precision()[0])
    assert result.method.endswith("; classes by their boxes: 1 = 21, 2 = 40, 3 unknown, counts 0")


def batch(found, boxes_per_image=20, scale=1.0, turned=False):
    """As the Object Detection API gives it."""
    boxes = np.zeros((len(found), boxes_per_image, 4), np.float32)
    scores, classes = (np.zeros((len(found), boxes_per_image), np.float32) for _ in range(2))
    counts = np.array([len(each.scores) for each in found], np.float32)
    for number, each in enumerate(found):
        order = np.argsort(-each.scores, kind="stable")
        rows = each.boxes[order][:, [1, 0, 3, 2]] if turned else each.boxes[order]
        boxes[number, : len(order)] = rows * scale
        scores[number, : len(order)] = each.scores[order]
        classes[number, : len(order)] = each.classes[order]
    return [boxes, scores, classes, counts]


@pytest.mark.parametrize(("scale", "turned"), [(1.0, False), (300.0, False), (1.0, True), (300.0, True)])
def test_both_graphs_by_their_outputs(scale, turned):
    truths, found = scenes(5)
    worse = [Detected(each.boxes + 0.04, each.scores, each.classes) for each in found]
    measure = AveragePrecision((0, 1, 2, 3), Detections(("a",) * 4, Members(0, 1, 2, 3)), (300, 300))
    for start in (0, 6):
        images = [Image(str(number), truth=truth) for number, truth in enumerate(truths[start : start + 6])]
        pair = [batch(each[start : start + 6], 20, scale, turned) for each in (found, worse)]
        measure.add(*pair, images)
    result = measure.finish()
    assert result.fp32 == pytest.approx(OF_PYCOCOTOOLS[5], abs=1e-3)
    assert result.int8 < result.fp32
    assert result.points == pytest.approx(result.fp32 - result.int8)
    assert result.low < result.points < result.high
    assert (result.metric, result.samples) == ("COCO AP", 12)


def test_unlabelled_images_tell_nothing():
    _truths, found = scenes(5)
    measure = AveragePrecision((0, 1, 2, 3), Detections(("a",) * 4, Members(0, 1, 2, 3)), (1, 1))
    measure.add(batch(found), batch(found), [Image("x")] * len(found))
    assert measure.finish() is None


def test_anchors_are_suppressed_first():
    box = np.array([[0.1, 0.1, 0.5, 0.5], [0.11, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]], np.float32)[np.newaxis]
    scores = np.array([[[0, 0, 0.9], [0, 0, 0.8], [0, 0, 0.7]]], np.float32)
    truth = Boxes(box[0, [0, 2]].astype(float), np.array([2, 2]), np.zeros(2, bool))
    measure = AveragePrecision((0, 1), Anchors(("a", "b"), 0, 1, False), (1, 1))
    measure.add([box, scores], [box, scores], [Image("x", truth=truth)])
    assert measure.finish().fp32 == pytest.approx(100.0)


def test_boxes_that_the_graph_is_not_sure_of_do_not_tell_what_classes_are_called():
    truths, _found = scenes(6, images=40)
    rng = np.random.RandomState(0)
    many = []
    for truth in truths:
        # each labelled box once for sure, and ten times, hardly, as class 1
        near = np.repeat(truth.boxes, 10, axis=0) + rng.normal(0, 0.01, (10 * len(truth.boxes), 4))
        boxes = np.concatenate([truth.boxes, near])
        scores = np.concatenate([np.full(len(truth.boxes), 0.9), np.full(len(near), 0.05)])
        classes = np.concatenate([truth.classes, np.full(len(near), 1)])
        many.append(Detected(boxes, scores, classes))
    assert numbering(truths, many) == ({1: 1, 2: 2, 3: 3}, [1, 2, 3], [])


@pytest.mark.parametrize("form", ["picked", "anchors"])
def test_outputs_like_those_of_the_zoos_ssd_resnet34_are_found(form):
    """Of MLPerf's SSD: boxes as left, top, right, bottom, called detection_bboxes; or v/stack and v/Softmax."""
    truths, found = scenes(5)
    boxes, scores, classes, _counts = batch(found, turned=True)
    if form == "picked":
        names, outputs = ["detection_bboxes:0", "detection_scores:0", "detection_classes:0"], [boxes, scores, classes]
        outputs[2] = classes.astype(np.int64)
    else:
        names = ["v/stack:0", "v/Softmax:0"]
        of_class = np.zeros((*scores.shape, 81), np.float32)
        np.put_along_axis(of_class, classes.astype(int)[..., np.newaxis], scores[..., np.newaxis], axis=2)
        of_class[..., 0] = 1 - of_class[..., 1:].sum(axis=2)
        outputs = [boxes, of_class]
    images = [Image(str(number), truth=truth) for number, truth in enumerate(truths)]
    (measure,) = measures_for(names, outputs, images, {"image:0": np.zeros((12, 1200, 1200, 3), np.float32)})
    measure.add(outputs, outputs, images)
    assert measure.finish().fp32 == pytest.approx(OF_PYCOCOTOOLS[5], abs=15 if form == "anchors" else 1e-3)

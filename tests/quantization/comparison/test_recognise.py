"""What an output is taken for."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.comparison.recognise import recognise

RNG = np.random.RandomState(0)
BATCH = 4


def softmax(values):
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)


def normal(*shape):
    return RNG.normal(0, 3, shape).astype(np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def kinds(**arrays):
    """Kind -> outputs, of one batch."""
    names = [f"scope/{name}:0" for name in arrays]
    tasks = recognise(names, [list(arrays.values())])
    return {task.comparer.kind: tuple(list(arrays)[index] for index in task.indices) for task in tasks}


BOXES = np.sort(RNG.uniform(0, 1, (BATCH, 10, 2, 2)), axis=2).reshape(BATCH, 10, 4).astype(np.float32)
SURE = np.sort(RNG.uniform(0, 1, (BATCH, 10)))[:, ::-1].astype(np.float32)
CLASSES = RNG.randint(1, 90, (BATCH, 10)).astype(np.float32)
COUNT = np.full(BATCH, 10, np.float32)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (softmax(normal(BATCH, 10)), "scores"),
        (softmax(normal(BATCH, 10))[:, np.newaxis, np.newaxis], "scores"),
        (normal(BATCH, 10), "scores"),  # logits
        (np.arange(BATCH), "answers"),
        (np.round(softmax(normal(BATCH, 2))[:, :1]), "decisions"),
        (1 / (1 + np.exp(-10 * normal(BATCH, 20))), "decisions"),
        (normal(BATCH, 10) + 100, "values"),  # coordinates, say
        (normal(BATCH, 1), "values"),
        (unit(normal(BATCH, 64)), "embedding"),
        (np.maximum(normal(BATCH, 64), 0), "embedding"),
        (RNG.randint(0, 5, (BATCH, 16, 16)), "class_map"),
        (softmax(normal(BATCH, 16, 16, 5)), "class_map"),
        (np.moveaxis(softmax(normal(BATCH, 16, 16, 5)), 3, 1), "class_map"),
        (np.round(RNG.uniform(0, 1, (BATCH, 16, 16, 1))), "class_map"),
        (softmax(normal(BATCH, 12, 40)), "sequences"),
        (normal(BATCH, 12, 40), "values"),
        (normal(BATCH, 16, 16, 3), "values"),
        (np.float32(3.0), None),
        (np.array([b"text"] * BATCH), None),
    ],
)
def test_one_output(array, kind):
    assert list(kinds(x=array)) == ([kind] if kind else [])


def test_a_name_tells_an_embedding_from_logits():
    assert list(kinds(embeddings=normal(BATCH, 10))) == ["embedding"]


def test_logits_beside_their_softmax():
    logits = normal(BATCH, 10)
    names = ["logits:0", "softmax:0"]
    tasks = recognise(names, [[logits, softmax(logits)]])
    assert [task.comparer.kind for task in tasks] == ["scores", "scores"]


def test_regressions_are_no_logits():
    assert set(kinds(a=normal(BATCH, 10), b=normal(BATCH, 7))) == {"values"}


def test_detectors_by_their_names():
    found = kinds(
        num_detections=COUNT, detection_boxes=BOXES, detection_scores=SURE, detection_classes=CLASSES, other=COUNT * 0.3
    )
    names = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
    assert found == {"detections": names, "values": ("other",)}


def test_detectors_by_their_shapes():
    assert kinds(a=COUNT, b=CLASSES, c=SURE, d=BOXES) == {"detections": ("d", "c", "b", "a")}
    assert kinds(c=SURE, d=BOXES) == {"detections": ("d", "c")}
    assert kinds(c=SURE, d=BOXES, b=CLASSES.astype(np.int32)) == {"detections": ("d", "c", "b")}


def test_boxes_of_anchors():
    assert kinds(stack=BOXES, Softmax=softmax(normal(BATCH, 10, 81))) == {"anchors": ("stack", "Softmax")}


def test_a_detector_that_finds_nothing_at_first():
    empty = [BOXES[:1, :0], SURE[:1, :0], CLASSES[:1, :0]]
    some = [BOXES[:1], SURE[:1], CLASSES[:1]]
    (task,) = recognise(["a:0", "b:0", "c:0"], [empty, some])
    assert (task.comparer.kind, task.indices) == ("detections", (0, 1, 2))

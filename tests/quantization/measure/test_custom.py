"""The user's own metric: for each sample, for all of them, and what may be wrong with it."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.images import Image
from intel_quantization.data.truth import Boxes, Mask
from intel_quantization.errors import BadInputError
from intel_quantization.measure.custom import Custom
from intel_quantization.measure.evaluate import compare
from tests.quantization.measure.test_evaluate import LABELS, Fake, Feed, one_hot

BY_SAMPLE = """
def right(outputs, labels):
    return outputs["softmax"].argmax(axis=1) == labels
"""
OF_ALL = """
def right(outputs, labels):
    return float((outputs["softmax"].argmax(axis=1) == labels).mean())
"""


def metric(tmp_path, text, outputs=("softmax:0",)):
    path = tmp_path / "metric.py"
    path.write_text(text)
    return Custom(str(path), "right", outputs)


@pytest.mark.parametrize("text", [BY_SAMPLE, OF_ALL], ids=["by sample", "of all"])
@pytest.mark.parametrize("pad", [False, True])
def test_it_is_judged_first(tmp_path, text, pad):
    fp32, int8 = Fake(one_hot(3, [0, 1, 2, 0, 1, 0])), Fake(one_hot(3, [0, 1, 1, 0, 1, 0]))
    result = compare(fp32, int8, Feed(LABELS, pad=pad), names=["softmax:0"], custom=metric(tmp_path, text))
    (found,) = result.measures
    assert (found.metric, found.samples) == ("metric.py:right", 6)
    assert (found.fp32, found.int8) == (pytest.approx(500 / 6), pytest.approx(400 / 6))
    assert found.low <= found.points <= found.high
    assert found.low < found.high


def test_labels_may_be_anything(tmp_path):
    text = "def right(outputs, labels):\n    return [float(name == 'cat') for name in labels]\n"
    custom = metric(tmp_path, text)
    rows = [np.zeros((2, 3), np.float32)]
    custom.add(rows, rows, [Image("a", truth="cat"), Image("b", truth="dog")], 2)
    result = custom.finish()
    assert (result.fp32, result.points) == (50.0, 0.0)
    assert result.low < 0 < result.high


def test_labels_of_pixels_are_arrays_and_those_of_objects_dicts(tmp_path):
    rows = [np.zeros((2, 3), np.float32)]
    maps = [np.full((4, 5), which) for which in (1, 2)]
    custom = metric(tmp_path, "def right(outputs, labels):\n    return labels.max(axis=(1, 2)) / labels.shape[2]\n")
    custom.add(rows, rows, [Image(str(each.max()), truth=Mask(each)) for each in maps], 2)
    assert custom.finish().fp32 == pytest.approx(30)
    custom = metric(tmp_path, "def right(outputs, labels):\n    return [each['classes'][0] / 10 for each in labels]\n")
    objects = [Boxes(np.zeros((1, 4)), np.array([which]), np.zeros(1, bool)) for which in (3, 5)]
    custom.add(rows, rows, [Image("x", truth=each) for each in objects], 2)
    assert custom.finish().fp32 == pytest.approx(40)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return None", "not finite|no numbers"),
        ("return 'good'", "no numbers"),
        ("return [1.0]", r"\(1,\) for 2 samples"),
        ("return float('nan')", "not finite"),
        ("raise KeyError('softmax2')", "failed: KeyError"),
        ("raise SystemExit(0)", "failed: SystemExit: 0"),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path, body, why):
    custom = metric(tmp_path, f"def right(outputs, labels):\n    {body}\n")
    rows = [np.zeros((2, 3), np.float32)]
    with pytest.raises(BadInputError, match=why):
        custom.add(rows, rows, [Image("a", 1), Image("b", 0)], 2)


def test_another_form_in_the_next_batch(tmp_path):
    text = "def right(outputs, labels):\n    return [1.0, 0.0] if len(labels) == 2 else 1.0\n"
    custom = metric(tmp_path, text)
    rows = [np.zeros((2, 3), np.float32)]
    custom.add(rows, rows, [Image("a", 1), Image("b", 0)], 2)
    with pytest.raises(BadInputError, match="for each sample, and now"):
        custom.add([rows[0][:1]], [rows[0][:1]], [Image("a", 1)], 1)


def test_there_has_to_be_such_a_function(tmp_path):
    (tmp_path / "m.py").write_text("def other(a, b): pass\n")
    with pytest.raises(BadInputError, match=r"no function 'right' in m\.py; there is: other"):
        Custom(str(tmp_path / "m.py"), "right", ["a:0"])


def test_nothing_to_judge(tmp_path):
    assert metric(tmp_path, BY_SAMPLE).finish() is None

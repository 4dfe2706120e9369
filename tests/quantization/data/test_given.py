"""Calibration data in the forms that a program has them in, and how what does not fit is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from intel_quantization.data.given import as_feed
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo

pytestmark = pytest.mark.tensorflow

X = TensorInfo("x:0", "x", "float32", (None, 4))
FIXED = TensorInfo("x:0", "x", "float32", (3, 4))
IDS = TensorInfo("ids:0", "ids", "int32", None)


def ones(*shape):
    return np.ones(shape, np.float32)


def feeds(data, *inputs, samples=None):
    return list(as_feed(data, inputs or (X,), samples))


def test_an_array_is_cut_into_batches():
    assert [len(feed["x:0"]) for feed in feeds(ones(5, 4))] == [2, 2, 1]
    assert [len(feed["x:0"]) for feed in feeds(ones(7, 4), FIXED)] == [3, 3]


def test_names_and_types():
    (feed,) = feeds({"x": np.ones((2, 4), np.uint8), "other:1": [1, 2]})
    assert sorted(feed) == ["other:1", "x:0"]
    assert feed["x:0"].dtype == np.float32
    (feed,) = feeds([{"x:0": ones(1, 4), "ids": [1, 2]}], X, IDS)
    assert feed["ids:0"].dtype == np.int32


def test_samples_end_an_endless_feed():
    endless = ({"x": ones(2, 4)} for _ in itertools.count())
    assert len(feeds(endless, samples=5)) == 3
    assert len(feeds(lambda: ({"x": ones(1, 4)} for _ in itertools.count()), samples=4)) == 4


@pytest.mark.parametrize(
    ("data", "inputs", "message"),
    [
        (7, (X,), "is a int"),
        (np.float32(1), (X,), "is a float32"),
        (np.array(1.0), (X,), "single number"),
        (ones(2, 4), (X, IDS), r"2 inputs \(x:0, ids:0\)"),
        (ones(2, 4), (FIXED,), "2 samples; the graph takes 3"),
        ([{}], (X,), "batch 0 .* is empty"),
        ([{"x": ones(1, 4)}, {"x": ones(1, 5)}], (X,), r"batch 1 .*: x:0 is float32 \[\?,4\]; .* float32 \[1,5\]"),
        ([{"x": ones(4)}], (X,), r"float32 \[4\]"),
        ([{"ids": ones(4)}], (IDS,), "ids:0 is int32 of any shape; the data are float32"),
        ([{"x": ["a", "b"]}], (TensorInfo("x:0", "x", "float32", None),), "the data are <U1"),
        ([{3: ones(1, 4)}], (X,), "the key 3"),
        ([{"x:y": ones(1, 4)}], (X,), "'x:y' is not a tensor name"),
        (["text"], (X,), "is a str, no feed dict"),
    ],
)
def test_what_does_not_fit(data, inputs, message):
    with pytest.raises(BadInputError, match=message) as caught:
        feeds(data, *inputs)
    assert caught.value.remedy
    assert "\n" not in caught.value.message


def test_a_missing_batch_dimension_is_named():
    with pytest.raises(BadInputError) as caught:
        feeds([{"x": ones(4)}])
    assert "first dimension must be the batch" in caught.value.remedy

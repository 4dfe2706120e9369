"""Made-up input fits the graph."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.errors import BadInputError
from intel_quantization.measure.synthetic import synthetic_feed
from intel_quantization.reading.interface import TensorInfo


def info(dtype="float32", shape=(None, 4, 4, 3), name="input"):
    return TensorInfo(name + ":0", name, dtype, shape)


def test_open_dimensions_and_ranges_come_from_calibration():
    seen = TensorStatistics(96, -3.0, 5.0, (None, 4, 8, 3))
    feed, batch = synthetic_feed([info(shape=(None, None, None, 3))], Statistics(tensors={"input": seen}))
    array = feed["input:0"]
    assert (array.dtype, array.shape, batch) == (np.float32, (1, 4, 8, 3), 1)
    assert -3 <= array.min() < -2
    assert 4 < array.max() <= 5


def test_fixed_batches_and_other_types():
    inputs = [info("uint8", (2, 64, 3)), info("bool", (), "training"), info("int64", (2, 5), "ids")]
    feed, batch = synthetic_feed(inputs, Statistics())
    assert batch == 2
    assert feed["input:0"].dtype == np.uint8
    assert feed["input:0"].max() > 200
    assert feed["training:0"].shape == ()
    assert not feed["training:0"]
    assert feed["ids:0"].tolist() == [[0] * 5] * 2


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (info(shape=None), "shape"),
        (info(shape=(None, None, 3)), "shape"),
        (info("string"), "string"),
        (info(""), "unknown"),
    ],
)
def test_what_cannot_be_made_up(tensor, word):
    with pytest.raises(BadInputError, match=word):
        synthetic_feed([tensor], Statistics())

"""Made-up samples: the same for the same seed, as the graph takes them; what cannot be made up is refused."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.made_up import BATCH, made_up_data, picture
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo


def info(dtype="float32", shape=(None, 32, 24, 3), name="x"):
    return TensorInfo(name + ":0", name, dtype, shape)


def test_pictures_are_like_photos():
    some = [picture(number, 64, 48, 3) for number in range(8)]
    assert {(each.shape, each.dtype.name) for each in some} == {((64, 48, 3), "float32")}
    np.testing.assert_array_equal(some[3], picture(3, 64, 48, 3))
    assert np.abs(some[3] - some[4]).mean() > 5
    stacked = np.stack(some)
    assert stacked.min() >= 0
    assert stacked.max() <= 255
    assert 60 < stacked.mean() < 180
    assert 30 < stacked.std() < 100
    beside = np.abs(np.diff(stacked, axis=2)).mean()
    shuffled = np.abs(stacked - np.random.RandomState(0).permutation(stacked.reshape(-1, 3)).reshape(stacked.shape))
    assert beside < 0.5 * shuffled.mean()  # neighbours are alike


@pytest.mark.parametrize(
    ("shape", "fed"),
    [
        ((None, 32, 24, 3), (BATCH, 32, 24, 3)),
        ((1, 32, 24, 3), (1, 32, 24, 3)),
        ((None, 1, 32, 24), (BATCH, 1, 32, 24)),
        ((None, None, None, 3), (BATCH, 224, 224, 3)),
    ],
)
def test_pictures_as_the_graph_takes_them(shape, fed):
    data = made_up_data([info(shape=shape)], seed=0, samples=BATCH + 3)
    assert (data.unit, data.total, len(data.split.evaluation)) == ("pictures", BATCH + 3, 0)
    first, *_more = data.feed(data.split.calibration, "tf")
    (value,) = first.values()
    assert value.shape == fed
    assert -1 <= value.min() < 0 < value.max() <= 1
    again = next(iter(data.feed(data.split.calibration, "tf")))
    np.testing.assert_array_equal(value, again["x:0"])
    other = made_up_data([info(shape=shape)], seed=1, samples=2)
    assert not np.array_equal(next(iter(other.feed(other.split.calibration, "tf")))["x:0"][:1], value[:1])


def test_rows():
    data = made_up_data([info(shape=(None, 12)), info("bool", (), "training")], seed=0)
    feeds = list(data.feed(data.split.calibration, None))
    assert data.layout is None
    assert feeds[0]["x:0"].shape == (BATCH, 12)
    assert feeds[0]["training:0"] == np.zeros((), bool)
    assert abs(np.concatenate([feed["x:0"] for feed in feeds]).std() - 1) < 0.1
    fixed = made_up_data([info(shape=(5, 12))], seed=0, samples=7)
    assert [feed["x:0"].shape for feed in fixed.feed(fixed.split.calibration, None)] == [(5, 12), (5, 12)]


@pytest.mark.parametrize(
    "odd", [info("int32", (None, 12)), info("string", (None,)), info(shape=None), info(shape=(2, None))]
)
def test_what_cannot_be_made_up(odd):
    if odd.shape is None:  # taken for pictures of any size
        assert made_up_data([odd], seed=0).layout.size is None
        return
    with pytest.raises(BadInputError, match="nothing can be made up for the input x:0"):
        made_up_data([odd], seed=0)

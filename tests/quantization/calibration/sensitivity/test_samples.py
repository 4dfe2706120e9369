"""A few samples of a feed are kept as it passes."""

from __future__ import annotations

import numpy as np

from intel_quantization.calibration.sensitivity.samples import KeptSamples


def batches(number, size):
    return [{"x": np.arange(size)[:, None] + 10 * batch, "rate": np.float32(0.5)} for batch in range(number)]


def values(kept):
    return [(sample["x"].tolist(), float(sample["rate"])) for sample in kept.split()]


def test_one_of_each_batch_first_and_the_batches_pass():
    kept, given = KeptSamples(3), batches(5, 2)
    assert list(kept.of_each(given)) == given
    assert values(kept) == [([[0]], 0.5), ([[10]], 0.5), ([[20]], 0.5)]


def test_several_of_a_batch_where_there_are_few():
    kept = KeptSamples(3)
    list(kept.of_each(batches(1, 2)))
    assert values(kept) == [([[0]], 0.5), ([[1]], 0.5)]


def test_none_of_nothing():
    assert KeptSamples(3).split() == []

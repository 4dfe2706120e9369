"""Whatever a graph gives, comparing it ends, and JSON can say what was found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from intel_quantization.comparison.comparison import Comparison
from intel_quantization.comparison.other_modes import fit

SHAPES = (
    (), (1,), (4,), (4, 0), (0, 4), (4, 1), (4, 2), (4, 4), (4, 30), (4, 5, 4), (4, 5, 7), (4, 5), (4, 1, 1, 6),
    (4, 8, 8, 1), (4, 8, 8, 3), (4, 3, 8, 8), (4, 8, 8), (4, 2, 2, 2, 2), (7, 4, 9),
)  # fmt: skip


def made(rng, shape):
    """An array of such a shape, of some type, with some values."""
    values = rng.normal(0, 3, shape)
    kind = rng.randint(0, 9)
    if kind < 3:
        return values.astype((np.float32, np.float16, np.float64)[kind])
    if kind == 3:
        return np.clip(values, 0, 1).astype(np.float32)
    if kind == 4 and values.ndim and values.size:
        shifted = np.exp(values - values.max(axis=-1, keepdims=True))
        return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)
    if kind == 5:
        return values > 0
    if kind == 6:
        return np.array(values * 1e9, np.int64)
    if kind == 7:
        return np.full(shape, b"text", object)
    return np.array(np.abs(values), rng.choice([np.uint8, np.int32, np.float32]))


@pytest.mark.parametrize("seed", range(300))
def test_any_outputs(seed):
    rng = np.random.RandomState(seed)
    shapes = [SHAPES[index] for index in rng.randint(0, len(SHAPES), rng.randint(1, 5))]
    before = [made(rng, shape) for shape in shapes]
    if seed % 3 == 0:
        before = [array * np.nan if array.dtype.kind == "f" and array.ndim else array for array in before]
    after = [np.roll(array, 1) for array in before]
    if seed % 5 == 0:
        after = [np.concatenate([array, array], axis=-1) if array.ndim > 1 else array for array in after]
    names = [f"{number}:0" for number in range(len(before))]
    comparison = Comparison(names)
    for _ in range(3):
        comparison.add(before, after, 3, 4)
    found = comparison.finish()
    fit(names, [before, before])
    for findings in found:
        json.dumps([findings.figures, findings.text, findings.verdict], allow_nan=False)
        json.dumps([concern.measured for concern in findings.concerns], allow_nan=False)


def test_nothing_at_all():
    assert Comparison(["x:0"]).finish() == []

"""How many patches an op is tried on."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.quantize import trials


@pytest.mark.parametrize(
    ("shape", "outputs", "expected"),
    [((1024, 9, 64), 512, 103), ((1024, 1, 16), 16, 512), ((1000, 1, 16), 16, 500), ((80, 9, 512), 512, 40)],
    ids=["a product stays quick", "never more", "evenly", "never fewer than 32"],
)
def test_some_from_all_over(shape, outputs, expected):
    values = np.arange(shape[0], dtype=np.float32)[:, None, None] * np.ones(shape, np.float32)
    found = trials._some(values, outputs)
    assert len(found) == expected
    steps = np.diff(found[:, 0, 0])
    assert np.all(steps == steps[0])
    assert found[-1, 0, 0] >= shape[0] - 2 * steps[0]

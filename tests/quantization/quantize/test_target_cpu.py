"""Weights for CPUs with VNNI use all of their range; those for any CPU cannot exceed an int16 in pairs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.quantize.target_cpu import TARGET_CPUS, check_target_cpu
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def integers(target_cpu):
    """The INT8 weights of a convolution that reads quint8, its largest weights in neighbouring channels."""
    weights = b.random("weights", (1, 1, 4, 8))
    weights[0, 0, :2] = 3.0

    def net():
        tf.identity(b.conv_block(tf.nn.relu(b.image()), "c", weights=weights), "out")

    conversion = b.convert(b.build(net), per_channel=True, target_cpu=target_cpu)
    (found,) = (item for item in conversion.graph.node if item.name.endswith("/int8_weights"))
    values = tf.make_ndarray(found.attr["value"].tensor)
    return values.view(np.int8).reshape(4, 8).astype(int)


def test_pairs_of_products_fit_an_int16_on_any_cpu():
    found = integers("any")
    pairs = np.maximum(found, 0).reshape(2, 2, 8).sum(axis=1)
    assert pairs.max() * 255 < 1 << 15


def test_with_vnni_the_largest_weight_has_127_steps():
    assert (np.abs(integers("vnni")).max(axis=0) == 127).all()


def test_others_are_refused():
    assert [check_target_cpu(name) for name in TARGET_CPUS] == ["any", "vnni"]
    with pytest.raises(BadInputError, match="no target CPU 'amx'") as caught:
        b.convert(b.build(lambda: b.conv_block(b.image(), "c")), target_cpu="amx")
    assert caught.value.remedy == "choose one of any, vnni"

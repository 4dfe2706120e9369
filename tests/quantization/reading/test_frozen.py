"""What makes a graph not frozen, and what does not."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.reading.frozen import check_frozen
from tests.quantization.builders import build, conv, image, v1

pytestmark = pytest.mark.tensorflow


def net():
    x = tf.identity(conv(image(), name="c"), name="out")
    w = v1.get_variable("w", (8,), use_resource=False)
    tf.add(x, w, name="moved")
    v1.assign(w, w * 0.9, name="train")


def test_leftovers_of_training_may_stay():
    check_frozen(build(net), ["input:0"], ["out:0"], "g.pb")


def test_an_output_of_a_variable():
    with pytest.raises(BadInputError, match=r"g\.pb is not frozen: node 'w' is a VariableV2") as caught:
        check_frozen(build(net), ["input:0"], ["out:0", "moved:0"], "g.pb")
    assert "SavedModel" in caught.value.remedy


def test_what_is_before_an_input_does_not_count():
    check_frozen(build(net), ["moved"], ["moved"], "g.pb")


def test_a_variable_of_resource_kind_behind_a_control_edge():
    def other():
        x, w = image(), v1.get_variable("w", (8,), use_resource=True)
        with tf.control_dependencies([v1.assign(w, w * 2)]):
            tf.identity(x, name="out")

    with pytest.raises(BadInputError, match="'w' is a VarHandleOp"):
        check_frozen(build(other), ["input"], ["out"], "g.pb")


def test_a_table():
    def lookup():
        initializer = tf.lookup.KeyValueTensorInitializer(["a"], [1])
        tf.identity(tf.lookup.StaticHashTable(initializer, 0).lookup(image((), "word", tf.string)), name="out")

    with pytest.raises(BadInputError, match=r"cannot be frozen: node .* is a HashTableV2"):
        check_frozen(build(lookup), ["word"], ["out"], "g.pb")

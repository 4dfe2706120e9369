"""Attributes: from plain values, and read without leaving a trace."""

from __future__ import annotations

import pytest

from intel_quantization.graph.attributes import DT_QINT8, attr_value, attribute, dtype_attr
from intel_quantization.graph.graph import NodeDef

pytestmark = pytest.mark.tensorflow


def test_attribute_values():
    assert attr_value(True).WhichOneof("value") == "b"
    assert list(attr_value([1.0, 2.0]).list.f) == [1.0, 2.0]
    assert list(attr_value(["a", "b"]).list.s) == [b"a", b"b"]
    assert attr_value([]).WhichOneof("value") == "list"
    for wrong in (None, {}, [None], [1, "a"]):
        with pytest.raises(TypeError):
            attr_value(wrong)


def test_types():
    assert dtype_attr(DT_QINT8).type == DT_QINT8


def test_reading_does_not_create():
    node = NodeDef(name="a", op="MatMul")
    assert attribute(node, "transpose_b").b is False
    assert not node.attr
    node.attr["transpose_b"].b = True
    assert attribute(node, "transpose_b").b is True

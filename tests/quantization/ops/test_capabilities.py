"""A graph may use what the running TensorFlow has, and with a target what all later ones have, too."""

from __future__ import annotations

import pytest
from tensorflow.core.framework import types_pb2

from intel_quantization.ops import registry
from intel_quantization.ops.capabilities import RUNNING, Capabilities
from intel_quantization.ops.snapshots import snapshots

pytestmark = pytest.mark.tensorflow

QINT8, QUINT8, FLOAT = types_pb2.DT_QINT8, types_pb2.DT_QUINT8, types_pb2.DT_FLOAT
DEPTHWISE = "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
CONV = "QuantizedConv2DWithBiasAndReluAndRequantize"
LOGITS = "QuantizedMatMulWithBiasAndDequantize"


def conv(source):
    return {"Tinput": source, "Tfilter": QINT8, "Tbias": FLOAT, "out_type": QUINT8}


def test_without_a_target_it_is_the_running_tensorflow():
    assert RUNNING.has_attr(DEPTHWISE, "padding_list") == registry.has_attr(DEPTHWISE, "padding_list")
    assert RUNNING.has_kernel(CONV, **conv(QINT8)) == registry.has_kernel(CONV, **conv(QINT8))
    assert (RUNNING.snapshots, RUNNING.where) == ((), "in this TensorFlow")


def test_what_one_version_lacks_is_not_used():
    oldest = Capabilities("1.15")
    assert oldest.has_kernel(CONV, **conv(QUINT8))
    assert not oldest.has_kernel(CONV, **conv(QINT8))
    assert Capabilities("2.1").has_kernel(CONV, **conv(QINT8)) == registry.has_kernel(CONV, **conv(QINT8))
    assert not oldest.has_attr(DEPTHWISE, "padding_list")
    assert Capabilities("2.14").has_attr(DEPTHWISE, "padding_list") == registry.has_attr(DEPTHWISE, "padding_list")
    types = {"T1": QUINT8, "T2": QINT8, "Tbias": FLOAT, "Toutput": FLOAT}
    assert not oldest.has_kernel(LOGITS, **types)
    assert Capabilities("2.14").has_kernel(LOGITS, **types) == registry.has_kernel(LOGITS, **types)
    assert oldest.where == "that works from TensorFlow 1.15 on"


def test_what_only_newer_versions_have_is_not_used(monkeypatch):
    """The running one has to run the graph, too."""
    monkeypatch.setattr(registry, "has_kernel", lambda op, **types: False)
    monkeypatch.setattr(registry, "has_attr", lambda op, attr: False)
    newest = Capabilities(snapshots()[-1].version)
    assert not newest.has_kernel(CONV, **conv(QUINT8))
    assert not newest.has_attr(CONV, "padding_list")

"""The classifiers of the seed, narrow and on small images, but with all their layers in the form of their graphs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.quantization.nets.inception import inception_v3
from tests.quantization.nets.mobilenet import mobilenet_v1_keras, mobilenet_v1_slim
from tests.quantization.nets.resnet import resnet50, resnet50_v1_5
from tests.quantization.nets.slim_resnet import resnet_v1_101
from tests.quantization.topologies.check import check, sqnr, square

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("everything_pays")]

WHOLE_MEAN = ("AvgPool", "a mean over the whole image keeps its digits in float32, and is small")


@pytest.mark.parametrize("folded", [True, False], ids=["folded", "unfused"])
def test_resnet50(folded):
    """As Intel publishes it, with the batch norms folded into BiasAdds, and as it was trained."""
    feeds = square(64)
    conversion, left = check(
        lambda layers: resnet50(layers, 64, 100, base=16),
        "input:0",
        feeds,
        ["predict"],
        {"Conv2D": 53, "MatMul": 1},
        folded=folded,
    )
    assert left == set()
    assert sqnr(conversion, {"input:0": feeds[3]}, "predict", np.log) > 5


def test_resnet50_v1_5():
    """The official model: two outputs, Pads ahead of strided convolutions, some of nothing."""
    feeds = square(64)
    conversion, left = check(
        lambda layers: resnet50_v1_5(layers, 64, 101, base=16),
        "input_tensor:0",
        feeds,
        ["softmax_tensor", "ArgMax"],
        {"Conv2D": 53, "MatMul": 1},
    )
    assert left == set()
    assert sqnr(conversion, {"input_tensor:0": feeds[3]}, "softmax_tensor", np.log) > 5


def test_resnet101():
    """TF-slim: shortcuts through a max pool of 1x1, the classifier a convolution."""
    feeds = square(64)
    name = "resnet_v1_101/predictions/Reshape_1"
    conversion, left = check(
        lambda layers: resnet_v1_101(layers, 64, 100, base=16),
        "input:0",
        feeds,
        [name],
        {"Conv2D": 105},
    )
    assert left == set()
    assert sqnr(conversion, {"input:0": feeds[3]}, name, np.log) > 2


def test_inception_v3():
    """TF-slim: 15 concatenations, pools within branches; the last three concatenations have no INT8 reader."""
    feeds = square(139)
    conversion, left = check(
        lambda layers: inception_v3(layers, 139, 101, 0.25),
        "input:0",
        feeds,
        ["predict"],
        {"Conv2D": 95},
    )
    assert left <= {WHOLE_MEAN, ("ConcatV2", "nothing that is INT8 reads it")}
    table = {row.op: row for row in conversion.op_table}
    assert (table["ConcatV2"].int8, table["AvgPool"].int8, table["MaxPool"].int8) >= (12, 9, 4)
    assert sqnr(conversion, {"input:0": feeds[3]}, "predict", np.log) > 3


def test_mobilenet_v1():
    """TF-slim of 2017: batch norm in Rsqrt, Mul, Sub and Add."""
    feeds = square(96)
    name = "MobilenetV1/Predictions/Reshape_1"
    conversion, left = check(
        lambda layers: mobilenet_v1_slim(layers, 96, 101, 0.5),
        "input:0",
        feeds,
        [name],
        {"Conv2D": 15, "DepthwiseConv2dNative": 13},
    )
    assert left == {WHOLE_MEAN}
    assert sqnr(conversion, {"input:0": feeds[3]}, name, np.log) > 3


def test_mobilenet_v1_keras():
    """Pads ahead of the strided convolutions, of the depthwise ones, too: one is left, of the signed image."""
    feeds = square(96)
    conversion, left = check(
        lambda layers: mobilenet_v1_keras(layers, 96, 100),
        "input:0",
        feeds,
        ["predict"],
        {"Conv2D": 15, "DepthwiseConv2dNative": 13},
    )
    assert left == set()
    assert [node.name for node in conversion.graph.node if node.op == "Pad"] == ["input/lifted/pad"]
    assert sqnr(conversion, {"input:0": feeds[3]}, "predict", np.log) > 3

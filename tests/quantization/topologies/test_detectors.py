"""The detectors of the seed, narrow and on small images, with their loops, crops and suppression."""

from __future__ import annotations

import numpy as np
import pytest

from tests.quantization.nets.ssd import ssd_mobilenet_v1, ssd_resnet34
from tests.quantization.nets.two_stage import faster_rcnn_resnet50, rfcn_resnet101
from tests.quantization.topologies.check import check, photos, sqnr, square

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("everything_pays")]

DETECTIONS = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]
IMAGES = "image_tensor:0"


def test_ssd_mobilenet_v1():
    """Resizing and suppression in loops; the box predictors end in concatenations that nothing INT8 reads."""
    feeds = photos(80, 70)
    conversion, left = check(
        lambda layers: ssd_mobilenet_v1(layers, 96, 5, 0.5),
        IMAGES,
        feeds,
        DETECTIONS,
        {"Conv2D": 34, "DepthwiseConv2dNative": 13},
    )
    assert {op for op, _ in left} == {"ConcatV2"}
    for head in ("ClassPredictor", "BoxEncodingPredictor"):
        assert sqnr(conversion, {IMAGES: feeds[3]}, "BoxPredictor_0/%s/Reshape" % head) > 2
    assert_same_loops(conversion)


@pytest.mark.parametrize("channels_first", [True, False], ids=["NCHW", "NHWC"])
def test_ssd_resnet34(channels_first):
    """MLPerf's, turned to NCHW at its input, the batch fixed to 1: two outputs of raw boxes and scores."""
    feeds = square(300, 1)
    conversion, left = check(
        lambda layers: ssd_resnet34(layers, 300, 11, 16),
        "input:0",
        feeds,
        ["v/stack", "v/Softmax"],
        {"Conv2D": 51},
        channels_first=channels_first,
    )
    assert {op for op, _ in left} == {"ConcatV2"}
    assert not channels_first or "v/transpose" not in {node.name for node in conversion.graph.node}
    assert sqnr(conversion, {"input:0": feeds[3]}, "v/Softmax", np.log) > 5


@pytest.mark.parametrize(
    ("network", "convolutions", "products"),
    [(faster_rcnn_resnet50, 56, {"MatMul": 2}), (rfcn_resnet101, 110, {})],
    ids=["faster_rcnn", "rfcn"],
)
def test_two_stages(network, convolutions, products):
    """Images of any size, a branch in the loop that resizes them; the second stage runs on crops of proposals."""
    feeds = photos(90, 140)
    conversion, left = check(
        lambda layers: network(layers, (96, 128), 5, 16, proposals=20),
        IMAGES,
        feeds,
        DETECTIONS,
        {"Conv2D": convolutions, **products},
    )
    assert left <= {("ConcatV2", "an input is not INT8"), ("MaxPool", "an input is not INT8")}
    assert sqnr(conversion, {IMAGES: feeds[3]}, "FirstStageBoxPredictor/ClassPredictor/Reshape") > 2
    assert_same_loops(conversion)


def assert_same_loops(conversion):
    """The loops and what makes them detect are as they were."""
    for op in ("LoopCond", "NonMaxSuppressionV3", "ResizeBilinear", "CropAndResize"):
        before, after = (
            sum(node.op == op for node in graph.node) for graph in (conversion.input_graph, conversion.graph)
        )
        assert after == before, op

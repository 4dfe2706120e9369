"""The real graphs of ../shared: the FP32 passes keep their results, and leave less of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.io import read_graph
from intel_quantization.ops import registry
from intel_quantization.reading.interface import find_inputs, find_outputs
from intel_quantization.transforms.pipeline import optimize
from tests.quantization.builders import ops, run

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.shared,
    # others cannot import some of these graphs as they are, for their attributes
    pytest.mark.skipif(
        not registry.has_attr("DepthwiseConv2dNative", "explicit_paddings"), reason="needs a newer TensorFlow"
    ),
]

MODELS = Path(__file__).resolve().parents[4] / "shared" / "models"
# images of a graph that takes any size
SIDE = 300


@pytest.mark.parametrize(
    "name",
    [
        "aiy_mobilenet_ssd_256res_0.125_person_cat_dog",
        "aiy_squeezenet_160res_5x5_0.75",
        "mobilenet_v1_0.25_224_frozen",
        "mobilenet_v1_1.0_224_deq",
        "resnet50_v1_5_ktb_fp32",
        "resnet8_cifar10_mlperf_tiny",
        "ssd_mobilenet_v1_0.75_300_coco_deq",
    ],
)
def test_results_are_kept(name):
    before = read_graph(str(MODELS / (name + ".pb")))
    outputs = [info.name for info in find_outputs(before)]
    graph = Graph(before, outputs)
    optimize(graph)
    assert len(graph) < len(before.node)
    left = ops(graph)
    assert not any("BatchNorm" in op for op in left)
    # a BiasAdd stands where a batch norm stood
    more = {op for op, count in left.items() if count > ops(before)[op]}
    assert more <= {"BiasAdd"}
    feed = {}
    for info in find_inputs(before):
        shape = [1 if size is None and not axis else size or SIDE for axis, size in enumerate(info.shape)]
        values = np.random.RandomState(0).uniform(0, 255 if info.dtype == "uint8" else 1, shape)
        feed[info.name] = values.astype(info.dtype)
    for wanted, given in zip(run(before, feed, *outputs), run(graph, feed, *outputs)):
        np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-5 * max(np.abs(wanted).max(), 1))

"""Norms and layers of a graph: which are found, and what they tell."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.choosing.hints import hinted_mode, modes_not_behind
from intel_quantization.choosing.layers import Layer, find_layers
from intel_quantization.choosing.norms import Norm, find_norms
from intel_quantization.graph.graph import Graph
from tests.quantization.choosing.remembering import network


@pytest.mark.parametrize("form", ["fused", "pieces"])
def test_batch_norms_are_found_in_their_order(form):
    graph_def, output = network("tf", "landmarks", form=form)
    norms = find_norms(Graph(graph_def, [output]))
    assert [len(norm.mean) for norm in norms] == [16, 24, 24, 32, 32, 32]
    assert all(norm.output.startswith(f"norm{number}") for number, norm in enumerate(norms))
    assert norms[0].epsilon == pytest.approx(1e-3)


def test_folded_ones_leave_layers():
    graph_def, output = network("tf", "landmarks", form="folded")
    graph = Graph(graph_def, [output])
    assert find_norms(graph) == ()
    layers = find_layers(graph, 4)
    assert [len(layer.bias) for layer in layers] == [16, 24, 24, 32]


def test_what_never_saw_data_remembers_nothing():
    graph_def, output = network("tf", "landmarks")
    for node in graph_def.node:
        if node.op == "FusedBatchNormV3":
            for place, value in ((3, 0.0), (4, 1.0)):
                constant = next(each for each in graph_def.node if each.name == node.input[place])
                tensor = constant.attr["value"].tensor
                size = tensor.tensor_shape.dim[0].size
                tensor.tensor_content = np.full(size, value, np.float32).tobytes()
    assert find_norms(Graph(graph_def, [output])) == ()


def test_a_training_norm_remembers_nothing():
    graph_def, output = network("tf", "landmarks")
    for node in graph_def.node:
        if node.op == "FusedBatchNormV3":
            node.attr["is_training"].b = True
    assert find_norms(Graph(graph_def, [output])) == ()


def test_divergence():
    gamma, beta = np.array([2.0, -1.0, 1e-9]), np.array([1.0, 0.0, 5.0])
    norm = Norm("x:0", gamma, beta, np.array([3.0, 4.0, 5.0]), np.array([1.0, 9.0, 1.0]), 0.0)
    assert norm.divergence(beta, gamma**2) == pytest.approx([0, 0], abs=1e-9)  # the dead channel does not count
    assert norm.divergence(beta + gamma, gamma**2) == pytest.approx([0.5, 0.5])
    dead = Norm("x:0", np.ones(1), np.zeros(1), np.zeros(1), np.zeros(1), 1e-3)
    assert dead.divergence(np.zeros(1), np.zeros(1)) == pytest.approx([0.0])


def test_slope_and_spread():
    rng = np.random.RandomState(0)
    added = rng.normal(0, 3, 200)
    layer = Layer("x:0", 0.3 * rng.normal(0, 1, 200) - added, np.ones(200))
    right, half = layer.bias + added, layer.bias + 0.5 * added
    assert layer.slope(right)[0] == pytest.approx(-1, abs=0.05)
    assert layer.slope(half)[0] == pytest.approx(-2, abs=0.1)
    assert layer.spread(right) < layer.spread(half) < layer.spread(layer.bias + 30 * added)


def test_names():
    assert hinted_mode(["a", "MobilenetV1/MobilenetV1/Conv2d_0/Conv2D"]) == "tf"
    assert hinted_mode(["FeatureExtractor/MobilenetV2/Conv/Relu6"]) == "tf"
    assert hinted_mode(["resnet_v1_50/block1/unit_1"]) == "vgg"
    assert hinted_mode(["model/conv2d/Conv2D", "StatefulPartitionedCall/x"]) is None
    assert hinted_mode(["MobilenetV1/a", "vgg_16/b"]) is None
    assert "unit" in modes_not_behind("sub_7")
    assert "none" in modes_not_behind("scope/truediv")
    assert modes_not_behind("input_1") == modes_not_behind("subject") == ()

"""What a summary says of a graph, and of one that lacks something."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.graph_summary import summarize
from intel_quantization.reading.frozen import VARIABLES
from tests.quantization.builders import build, conv, conv_block, dense, image, norm, v1

pytestmark = pytest.mark.tensorflow


def net():
    x = tf.nn.relu(norm(conv(image((None, 8, 8, 4)), name="c"), "norm"))
    y = v1.nn.conv2d(x, tf.nn.relu(x)[0, :3, :3, :, None], strides=[1, 1, 1, 1], padding="SAME", name="dynamic")
    tf.nn.softmax(dense(tf.reduce_mean(x + y, [1, 2]), name="logits"), name="predict")


def test_a_graph():
    graph_def = build(net)
    found = summarize(graph_def)
    assert (found.form, found.nodes, found.size) == ("graph", len(graph_def.node), graph_def.ByteSize())
    assert [(info.name, info.dtype, info.shape) for info in found.inputs] == [
        ("input:0", "float32", (None, 8, 8, 4)),
    ]
    assert [(info.name, op) for info, op in found.outputs] == [("predict:0", "Softmax")]
    ops = dict(found.ops)
    assert (ops["Conv2D"], ops["MatMul"], ops["FusedBatchNormV3"]) == (2, 1, 1)
    assert list(ops.values()) == sorted(ops.values(), reverse=True)
    assert found.constants[0] == ops["Const"]
    assert found.constants[1] > 3 * 3 * 4 * 8 + 8 * 10
    assert {item.node: (item.int8, item.reason) for item in found.decisions} == {
        "c": (True, ""),
        "dynamic": (False, "weights are not constant"),
        "logits": (True, ""),
    }
    assert found.obstacle == ""
    assert summarize(graph_def, outputs=["c"]).outputs[0][1] == "Conv2D"


def test_json():
    data = json.loads(json.dumps(summarize(build(net)).to_json(), allow_nan=False))
    assert data["inputs"] == [{"name": "input:0", "dtype": "float32", "shape": [None, 8, 8, 4]}]
    assert data["outputs"][0]["op"] == "Softmax"
    assert [item["node"] for item in data["quantization"]["candidates"]] == ["c", "logits"]
    assert data["quantization"]["fp32"][0]["reason"] == "weights are not constant"


def test_variables():
    def training():
        w = v1.get_variable("w", (8,), use_resource=False)
        tf.multiply(conv(image(), name="c"), w, name="out")

    found = summarize(build(training))
    assert found.variables == ("w",)
    assert found.decisions == ()
    assert "not frozen: node 'w'" in found.obstacle


@pytest.mark.parametrize("op", sorted(VARIABLES))
def test_what_is_not_frozen_is_a_variable(op):
    graph_def = build(lambda: tf.add(image(), image(name="held"), name="out"))
    next(node for node in graph_def.node if node.name == "held").op = op
    found = summarize(graph_def)
    assert found.variables == ("held",)
    assert op in found.obstacle


def test_functions_count():
    def functions():
        @tf.function
        def inner(x):
            return conv_block(x, "inner")

        tf.identity(inner(image((2, 8, 8, 4))), name="out")

    assert dict(summarize(build(functions)).ops)["Conv2D"] == 1


def test_what_is_missing_is_said():
    found = summarize(build(lambda: tf.constant(1.0)))
    assert (found.inputs, found.outputs, found.decisions) == ((), (), ())
    assert found.obstacle == "the graph has no output"
    broken = build(net)
    broken.node[-1].input[0] = "nowhere"
    assert "nowhere" in summarize(broken, outputs=["predict"]).obstacle
    with pytest.raises(BadInputError, match="'predictt' is not in"):
        summarize(build(net), outputs=["predictt"])

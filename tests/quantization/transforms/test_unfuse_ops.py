"""What Grappler fused is taken apart, with the same numbers and names."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.attributes import AttrValue, attr_value, dtype_attr
from intel_quantization.graph.graph import Graph
from intel_quantization.ops import registry
from intel_quantization.transforms.pipeline import optimize
from intel_quantization.transforms.unfuse_ops import unfuse_ops
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow

CHANNELS = 8
ACTIVATIONS = ["Relu", "Relu6", "Elu", "LeakyRelu"]
IMAGES = {"strides": [1, 1, 1, 1], "padding": "SAME", "data_format": "NHWC", "dilations": [1, 1, 1, 1]}
OF_MATMUL = ["Tanh", "Sigmoid", "GeluExact", "GeluApproximate"]


def fused(op, inputs, steps, name="fused", **attrs):
    """A fused op with what this TensorFlow knows of its attributes; TensorFlow's Python builds none of them."""
    own = 2 if op != "_FusedBatchNormEx" else 5
    if op != "_FusedBatchNormEx":
        attrs.update(fused_ops=steps, num_args=len(inputs) - own)
    node = tf.identity_n(inputs, name)[0].op
    FUSED[node.graph, name] = op, dict(attrs, TArgs=[tf.float32] * (len(inputs) - own))
    return tf.identity(node.outputs[0], name + "/read")


FUSED = {}


def build(function):
    """The GraphDef with the fused ops in the place of what stands for them."""
    with tf.Graph().as_default() as graph:
        function()
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        if (graph, node.name) in FUSED:
            node.op, attrs = FUSED.pop((graph, node.name))
            node.attr.clear()
            for key, value in attrs.items():
                if registry.has_attr(node.op, key):
                    node.attr[key].CopyFrom(attr_of(value))
    return graph_def


def attr_of(value):
    if isinstance(value, tf.DType):
        return dtype_attr(value.as_datatype_enum)
    if isinstance(value, list) and value and isinstance(value[0], tf.DType):
        made = AttrValue()
        made.list.type.extend(item.as_datatype_enum for item in value)
        return made
    return attr_value(value)


def constant(name, shape, low=None):
    values = b.random(name, shape)
    return tf.constant(values if low is None else np.abs(values) + low, name=name)


def arguments(steps, channels=CHANNELS, like=None):
    """What the steps read: biases, batch norm's parameters, what is added."""
    result = []
    for step in steps:
        if step == "BiasAdd":
            result.append(constant("bias", (channels,)))
        elif step == "FusedBatchNorm":
            result += [constant(part, (channels,)) for part in ("scale", "offset", "mean")]
            result.append(constant("variance", (channels,), 0.5))
        elif step == "Add":
            result.append(like())
    return result


def convolution(steps, op="_FusedConv2D", name="fused", **attrs):
    def net():
        x = b.image((None, 6, 6, 4))
        shape = (3, 3, 4, CHANNELS if op == "_FusedConv2D" else CHANNELS // 4)
        inputs = [x, constant("weights", shape)]
        inputs += arguments(steps, like=lambda: b.conv(x, name="beside"))
        chosen = {
            "T": tf.float32,
            "strides": [1, 1, 1, 1],
            "padding": "SAME",
            "data_format": "NHWC",
            "dilations": [1, 1, 1, 1],
        }
        chosen.update(attrs)
        tf.identity(fused(op, inputs, steps, name, **chosen), "out")

    return net


def product(steps, **attrs):
    def net():
        x = b.image((None, 6))
        inputs = [x, constant("weights", (CHANNELS, 6) if attrs.get("transpose_b") else (6, CHANNELS))]
        inputs += arguments(steps, like=lambda: b.dense(x, CHANNELS, name="beside"))
        chosen = {"T": tf.float32, "transpose_a": False, "transpose_b": False}
        chosen.update(attrs)
        tf.identity(fused("_FusedMatMul", inputs, steps, **chosen), "out")

    return net


def norm(mode, side=False):
    def net():
        x = b.conv(b.image((None, 6, 6, 4)), name="conv")
        inputs = [x, *arguments(["FusedBatchNorm"])] + ([b.conv(x, name="beside")] if side else [])
        attrs = {"T": tf.float32, "U": tf.float32, "epsilon": 0.01, "is_training": False, "data_format": "NHWC"}
        attrs.update(activation_mode=mode, num_side_inputs=int(side))
        tf.identity(fused("_FusedBatchNormEx", inputs, (), **attrs), "out")

    return net


def runs(graph_def, name="out"):
    """Whether this TensorFlow can run a graph with the fused op itself."""
    try:
        b.run(graph_def, b.batch(graph_def), name)
    except (tf.errors.OpError, ValueError):
        return False
    return True


def check(function, plain, *behind):
    """It becomes the plain op under its name, and those behind it."""
    if not runs(build(function)):
        pytest.skip("this TensorFlow does not run it")
    before = build(function)
    graph = Graph(before, ["out"])
    assert unfuse_ops(graph) == 1
    b.assert_same_numbers(before, graph.to_graph_def(), ["out"])
    assert graph.nodes["fused"].op == plain
    found = b.ops(graph)
    for op in behind:
        assert found[op] >= 1, op
    assert not [op for op in found if op.startswith("_Fused")]
    return graph


@pytest.mark.parametrize("steps", [["BiasAdd"], *(["BiasAdd", step] for step in ACTIVATIONS)])
def test_convolution_with_bias(steps):
    check(convolution(steps), "Conv2D", *steps)


@pytest.mark.parametrize("steps", [["FusedBatchNorm"], ["FusedBatchNorm", "Relu"]])
def test_convolution_with_batch_norm(steps):
    graph = check(convolution(steps, epsilon=0.02), "Conv2D", "FusedBatchNormV3")
    assert next(node for node in graph.nodes.values() if "BatchNorm" in node.op).attr["epsilon"].f == pytest.approx(
        0.02
    )


@pytest.mark.parametrize("steps", [["BiasAdd", "Add"], ["BiasAdd", "Add", "Relu"]])
def test_convolution_with_an_addition(steps):
    check(convolution(steps), "Conv2D", "BiasAdd", "AddV2", *steps[2:])


def test_leaky_relu_keeps_its_slope():
    graph = check(convolution(["BiasAdd", "LeakyRelu"], leakyrelu_alpha=0.05), "Conv2D")
    assert next(node for node in graph.nodes.values() if node.op == "LeakyRelu").attr["alpha"].f == pytest.approx(0.05)


def test_strides_padding_and_dilations_stay():
    graph = check(convolution(["BiasAdd"], strides=[1, 2, 2, 1], padding="VALID"), "Conv2D")
    conv = graph.nodes["fused"]
    assert (list(conv.attr["strides"].list.i), conv.attr["padding"].s) == ([1, 2, 2, 1], b"VALID")
    check(convolution(["BiasAdd"], dilations=[1, 2, 2, 1]), "Conv2D")
    check(convolution(["BiasAdd"], padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 0, 3, 0, 0]), "Conv2D")


@pytest.mark.parametrize("steps", [["BiasAdd"], ["BiasAdd", "Relu6"], ["BiasAdd", "Relu"]])
def test_depthwise_convolution(steps):
    check(convolution(steps, "_FusedDepthwiseConv2dNative"), "DepthwiseConv2dNative", *steps)


@pytest.mark.parametrize("steps", [["BiasAdd"], *(["BiasAdd", step] for step in (*ACTIVATIONS, *OF_MATMUL))])
def test_product(steps):
    check(product(steps), "MatMul", "BiasAdd")


def test_product_with_an_addition_and_transposed_weights():
    check(product(["BiasAdd", "Add"], transpose_b=True), "MatMul", "BiasAdd", "AddV2")


@pytest.mark.parametrize("mode", ["Identity", "Relu"])
@pytest.mark.parametrize("side", [False, True])
def test_batch_norm(mode, side):
    graph = Graph(build(norm(mode, side)), ["out"])  # not all of them have a CPU kernel
    assert unfuse_ops(graph) == 1
    assert graph.nodes["fused"].op == "FusedBatchNormV3"
    assert b.ops(graph)["Relu"] == (mode == "Relu")
    wanted = build(plain_norm(mode, side))
    feed = b.batch(wanted)
    np.testing.assert_allclose(b.run(graph, feed, "out")[0], b.run(wanted, feed, "out")[0], atol=1e-5)


def plain_norm(mode, side):
    def net():
        x = b.conv(b.image((None, 6, 6, 4)), name="conv")
        scale, offset, mean, variance = arguments(["FusedBatchNorm"])
        parts = {"x": x, "scale": scale, "offset": offset, "mean": mean, "variance": variance}
        y = tf.raw_ops.FusedBatchNormV3(epsilon=0.01, is_training=False, **parts)[0]
        y = y + b.conv(x, name="beside") if side else y
        b.activate(y, {"Relu": "relu"}.get(mode), "out")

    return net


def test_an_output_keeps_its_name():
    function = convolution(["BiasAdd", "Relu"])
    graph = Graph(build(function), ["fused"])
    before = graph.to_graph_def()
    assert unfuse_ops(graph) == 1
    assert graph.nodes["fused/Conv2D"].op == "Conv2D"
    b.assert_same_numbers(before, graph.to_graph_def(), ["fused"])


def test_control_dependencies_stay():
    graph_def = build(convolution(["BiasAdd", "Relu"]))
    first = graph_def.node.add(name="first", op="NoOp")
    b.node(graph_def, "fused").input.append("^" + first.name)
    b.node(graph_def, "out").input.append("^fused")
    graph = Graph(graph_def, ["out"])
    assert unfuse_ops(graph) == 1
    assert graph.control_inputs(graph.nodes["fused"]) == ["^first"]
    assert graph.control_inputs(graph.nodes["out"]) == ["^fused/Relu"]


def test_what_nobody_knows_stays():
    graph_def = build(convolution(["BiasAdd", "Relu"]))
    b.node(graph_def, "fused").attr["fused_ops"].list.s[1] = b"Snake"
    graph = Graph(graph_def, ["out"])
    assert unfuse_ops(graph) == 0
    assert "'Snake'" in b.refusal(unfuse_ops, graph, "fused")


def test_more_inputs_than_are_known_stay():
    graph_def = build(convolution(["BiasAdd", "Add"]))
    b.node(graph_def, "fused").attr["fused_ops"].list.s.pop()
    assert "reads something" in b.refusal(unfuse_ops, Graph(graph_def, ["out"]), "fused")


def test_statistics_that_are_read_stay():
    def net():
        norm("Identity")()
        tf.identity(tf.compat.v1.get_default_graph().get_tensor_by_name("fused:1"), "mean_out")

    graph = Graph(build(net), ["out", "mean_out"])
    assert unfuse_ops(graph) == 0
    assert b.refusal(unfuse_ops, graph, "fused") == "more than its first output is read"
    assert unfuse_ops(Graph(build(norm("Identity")), ["out", "fused:1"])) == 0


def test_other_weight_layouts_stay():
    if not registry.has_attr("_FusedConv2D", "filter_format"):
        pytest.skip("this TensorFlow knows one layout")
    graph = Graph(build(convolution(["BiasAdd"], filter_format="OIHW")), ["out"])
    assert "HWIO" in b.refusal(unfuse_ops, graph, "fused")


def chain():
    """Two fused convolutions, a fused depthwise convolution, a fused product."""
    steps = ["BiasAdd", "Relu"]
    conv = {
        "T": tf.float32,
        "strides": [1, 1, 1, 1],
        "padding": "SAME",
        "data_format": "NHWC",
        "dilations": [1, 1, 1, 1],
    }
    x = b.image((None, 8, 8, 4))
    x = fused("_FusedConv2D", [x, constant("w1", (3, 3, 4, 16)), constant("b1", (16,))], steps, "first", **conv)
    inputs = [x, constant("w2", (3, 3, 16, 1)), constant("b2", (16,))]
    x = fused("_FusedDepthwiseConv2dNative", inputs, steps, "deep", **conv)
    x = fused("_FusedConv2D", [x, constant("w3", (1, 1, 16, 8)), constant("b3", (8,))], steps, "second", **conv)
    x = tf.reshape(x, (-1, 512))
    inputs = [x, constant("w4", (512, 10)), constant("b4", (10,))]
    x = fused("_FusedMatMul", inputs, ["BiasAdd"], "dense", T=tf.float32, transpose_a=False, transpose_b=False)
    tf.identity(x, "out")


def test_a_graph_behind_grappler_becomes_int8():
    graph_def = build(chain)
    if not runs(graph_def):
        pytest.skip("this TensorFlow does not run it")
    conversion = b.convert(graph_def)
    told = b.reasons(conversion)
    names = ["first", "deep", "second", "dense"]
    assert {name: told[name] for name in names} == dict.fromkeys(names, "")
    assert b.error(conversion, b.batch(graph_def, seed=5)) < 0.1


def test_names_and_ops_of_the_fused_graph_can_be_excluded():
    graph_def = build(chain)
    told = b.reasons(b.convert(graph_def, excluded_ops=["_FusedMatMul"], excluded_nodes=["second"]))
    assert told["dense"] == "op excluded by the user"
    assert told["second"] == "node excluded by the user"
    assert told["first"] == ""


def test_nothing_is_left_of_it_in_the_pipeline():
    graph = Graph(build(convolution(["FusedBatchNorm", "Relu"])), ["out"])
    optimize(graph)
    assert {op for op in b.ops(graph) if op != "Const"} == {"Placeholder", "Conv2D", "BiasAdd", "Relu", "Identity"}

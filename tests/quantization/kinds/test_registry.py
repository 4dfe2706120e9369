"""No kind is registered that forgets to say how ranges pass it, and none says what is not so."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.conv2d import Conv2D
from intel_quantization.kinds.linear_kind import Form, Kernel, LinearKind
from intel_quantization.kinds.moving import MovingBytes, Reshaping
from intel_quantization.kinds.pass_through_kind import PassThroughKind
from intel_quantization.kinds.range_flow import GIVEN, SAME, WIDEST, Result
from intel_quantization.kinds.registry import FLOWS, LINEAR, PASS_THROUGH, register
from intel_quantization.ops import registry
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("base", [LinearKind, PassThroughKind])
def test_python_makes_no_kind_that_forgets_its_flows(base):
    parts = {name: lambda self, *args: None for name in base.__abstractmethods__ if name not in ("op", "flows")}
    with pytest.raises(TypeError, match="flows"):
        type("Forgetful", (base,), dict(parts, op="Forgetful"))()
    type("Complete", (base,), dict(parts, op="Complete", flows={}))


def test_flows_may_not_be_empty():
    class Empty(Conv2D):
        flows = dict.fromkeys((), GIVEN)

    with pytest.raises(ValueError, match="Conv2D does not say how ranges pass it"):
        register([Empty()], {})


def test_every_op_of_a_form_has_a_flow():
    class Partial(Conv2D):
        def forms(self):
            return (Form("Conv2D", Kernel("QuantizedConv2DOfOthers", {})),)

    with pytest.raises(ValueError, match="how ranges pass its INT8 op QuantizedConv2DOfOthers"):
        register([Partial()], {})


def test_two_kinds_agree_on_an_op():
    class Otherwise(MovingBytes):
        flows = dict.fromkeys(["Bitcast"], WIDEST)

    with pytest.raises(ValueError, match="ranges pass Bitcast in two ways"):
        register([MovingBytes("Transpose"), Otherwise("Roll")], {})


def test_no_op_twice():
    with pytest.raises(ValueError, match="Reshape is there already"):
        register([Reshaping("Reshape"), MovingBytes("Reshape")], {})


def test_flows_are_collected():
    flows = {}
    assert list(register([MovingBytes("Roll")], flows)) == ["Roll"]
    assert flows == {"Roll": SAME, "Bitcast": SAME}


@pytest.mark.parametrize("op", LINEAR)
def test_forms_name_ops_that_this_tensorflow_knows(op):
    for form in LINEAR[op].forms():
        if registry.op_def(form.kernel.op) is not None:  # older versions lack some
            assert {attr.name for attr in registry.op_def(form.kernel.op).attr} >= set(form.kernel.types)


@pytest.mark.parametrize("op", [op for op, flow in FLOWS.items() if flow.result is Result.GIVEN])
def test_ops_that_are_given_a_range_have_inputs_for_it(op):
    definition = registry.op_def(op)
    if definition is None:
        pytest.skip("this TensorFlow does not have it")
    names = FLOWS[op].arguments or [arg.name for arg in definition.input_arg]
    assert {"min_freezed_output", "min_range"} & set(names)
    assert FLOWS[op] == GIVEN or FLOWS[op].arguments or not FLOWS[op].reads


# What each of them does between two convolutions; a new kind must come here.
EXAMPLES = {
    "MaxPool": lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"),
    "AvgPool": lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME"),
    "ConcatV2": lambda x: tf.concat([x, b.conv_block(x, "side", filters=8)], 3),
    "Reshape": lambda x: tf.reshape(x, (-1, 12, 12, 8)),
    "Squeeze": lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]),
    "ExpandDims": lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]),
    "Transpose": lambda x: tf.transpose(x, [0, 2, 1, 3]),
    "Slice": lambda x: tf.slice(x, [0, 1, 1, 0], [-1, 10, 10, 8]),
    "StridedSlice": lambda x: x[:, ::2, 1:],
    "SpaceToBatchND": lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
    "BatchToSpaceND": lambda x: tf.raw_ops.BatchToSpaceND(input=x, block_shape=[1, 1], crops=[[1, 1], [0, 0]]),
    "DepthToSpace": lambda x: tf.nn.depth_to_space(x, 2),
    "SpaceToDepth": lambda x: tf.nn.space_to_depth(x, 2),
    "ResizeNearestNeighbor": lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, (24, 24)),
    "MirrorPad": lambda x: tf.pad(x, [[0, 0], [2, 1], [1, 3], [0, 0]], "REFLECT"),
    "Tile": lambda x: tf.tile(x, [1, 2, 1, 3]),
    "Pad": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
}


def test_there_is_an_example_of_every_kind():
    assert set(EXAMPLES) == set(PASS_THROUGH)


def int8_consumers(graph):
    """The ops that read qint8 or quint8, beside those that ask for no more than its shape."""
    for node in graph.nodes.values():
        for name in graph.data_inputs(node):
            producer = graph.producer(name)
            is_int8 = registry.output_dtype(producer) in (DT_QINT8, DT_QUINT8)
            if is_int8 and name == producer.name and producer.op != "Const" and node.op != "Shape":
                yield node.op


@pytest.mark.parametrize("op", EXAMPLES)
def test_ranges_are_followed_through_all_that_it_emits(op):
    """Whatever reads INT8 in its INT8 form has a flow; what it gives has the range of what it reads."""

    def net():
        x = EXAMPLES[op](b.conv_block(b.image((None, 12, 12, 4)), "first", filters=8))
        tf.identity(b.conv_block(x, "second", filters=8), "out")

    kind = PASS_THROUGH[op]
    if not all(registry.has_kernel(kernel.op, **kernel.types) for kernel in kind.kernels(DT_QUINT8)):
        pytest.skip("this TensorFlow has no kernel")
    graph_def = b.build(net)
    assert any(node.op == op and node.attr["T"].type == DT_FLOAT for node in graph_def.node)
    graph = Graph(b.convert(graph_def).graph, ["out"])
    found = set(int8_consumers(graph))
    assert found <= set(FLOWS), "nobody says how ranges pass"
    assert found & set(kind.flows)

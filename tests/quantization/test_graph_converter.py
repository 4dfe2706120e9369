"""The whole conversion: what comes out, what stays FP32 and why, and what is refused."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from intel_quantization.calibration.ranges.collectors import COLLECTORS
from intel_quantization.calibration.statistics_file import save_statistics
from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.io import read_graph, write_graph
from intel_quantization.graph_converter import STAGES, GraphConverter
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.ops.snapshots import order, snapshots
from intel_quantization.verify.target import verify_target
from tests.quantization.builders import (
    batch,
    bias,
    build,
    conv,
    conv_block,
    convert,
    dense,
    depthwise,
    error,
    image,
    int8_ops,
    node,
    norm,
    old_control_flow,
    ops,
    reasons,
    run,
    v1,
)
from tests.quantization.drawn_nets import nets
from tests.quantization.simulation import check_int8_op

pytestmark = pytest.mark.tensorflow


def classifier(shape=(None, 8, 8, 4)):
    x = conv_block(image(shape), "stem")
    y = tf.nn.relu(norm(conv(x, name="a"), "a/norm"))
    x = tf.nn.relu(norm(conv(y, name="b"), "b/norm") + x)
    tf.nn.softmax(bias(dense(tf.reduce_mean(x, [1, 2]), name="logits"), "logits/bias"), name="out")


@pytest.mark.usefixtures("everything_pays")
def test_the_result(tmp_path):
    path = str(tmp_path / "int8.pb")
    graph_def = build(classifier)
    stages, batches = [], []
    conversion = convert(graph_def, output_graph=path, on_stage=stages.append, on_progress=batches.append)
    assert tuple(stages) == STAGES
    assert batches == [1, 2]
    assert read_graph(path) == conversion.graph
    assert conversion.input_graph == graph_def
    assert [info.name for info in conversion.inputs + conversion.outputs] == ["input:0", "out:0"]
    assert [(row.op, row.total, row.int8, row.fp32) for row in conversion.op_table] == [
        ("Conv2D", 3, 3, 0),
        ("MatMul", 1, 1, 0),
    ]
    assert reasons(conversion) == {"stem": "", "a": "", "b": "", "logits": ""}
    assert "Requantize" not in ops(conversion.graph)
    assert not {"Conv2D", "MatMul", "FusedBatchNormV3"} & set(ops(conversion.graph))
    assert len(repr(conversion)) < 1000  # what a notebook shows
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_the_same_bytes_twice(tmp_path):
    graph_def = build(classifier)
    for name in ("a", "b"):
        convert(graph_def, output_graph=str(tmp_path / name), per_channel=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_interface_does_not_change():
    graph_def = build(classifier, (1, 8, 8, 4))
    conversion = convert(graph_def)
    assert node(conversion.graph, "input") == node(graph_def, "input")
    for name in ("input", "out"):
        before, after = (run(graph, batch(graph_def), name)[0] for graph in (graph_def, conversion.graph))
        assert (before.shape, before.dtype) == (after.shape, after.dtype)


@pytest.mark.parametrize("shape", [(None, 8, 8, 4), (1, 8, 8, 4), (None, None, None, 4)])
def test_batches_and_sizes(shape):
    graph_def = build(classifier, shape)
    feeds = [{"input:0": batch(build(classifier), 1, seed)["input:0"]} for seed in (1, 2)]
    conversion = convert(graph_def, feeds)
    assert error(conversion, feeds[0]) < 0.1


def test_another_batch_size_than_in_calibration():
    graph_def = build(classifier)
    conversion = convert(graph_def, [batch(graph_def, 4, seed=1)])
    for size in (1, 7):
        assert run(conversion.graph, batch(graph_def, size), "out")[0].shape == (size, 10)


def test_pixels_as_bytes():
    def net():
        x = tf.cast(image(dtype=tf.uint8), tf.float32)
        tf.identity(conv_block(x, "c"), name="out")

    graph_def = build(net)
    conversion = convert(graph_def)
    assert sum(int8_ops(conversion.graph).values()) == 1
    assert node(conversion.graph, "input").attr["dtype"].type == tf.uint8.as_datatype_enum
    assert error(conversion, batch(graph_def, seed=1)) < 0.05


def test_a_convolution_that_is_an_output_and_one_in_the_middle():
    def net():
        x = conv(tf.nn.relu(image()), name="middle")
        conv(tf.nn.relu(bias(x, name="biased")), name="out")

    graph_def = build(net)
    conversion = convert(graph_def, outputs=["out", "middle", "biased"])
    feed = batch(graph_def, seed=1)
    assert sum(int8_ops(conversion.graph).values()) == 2
    for name in ("out", "middle", "biased"):
        assert node(conversion.graph, name)
        assert error(conversion, feed, name) < 0.05


def test_exclusions():
    graph_def = build(classifier)
    conversion = convert(graph_def, excluded_ops=["MatMul"], excluded_nodes=["a"])
    assert reasons(conversion) == {
        "stem": "",
        "a": "node excluded by the user",
        "b": "",
        "logits": "op excluded by the user",
    }
    assert {"Conv2D", "MatMul"} < set(ops(conversion.graph))
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def limits(conversion):
    """The upper ends of the ranges, by the name of the tensor; a lifted one begins at zero."""
    found = {}
    for item in conversion.graph.node:
        if item.op == "QuantizeV2":
            (limit,) = (each for each in conversion.graph.node if each.name == item.input[2].split(":")[0])
            found[item.input[0].split(":")[0]] = float(tf.make_ndarray(limit.attr["value"].tensor))
    return found


def test_algorithms(tmp_path):
    graph_def = build(classifier)
    feed = [batch(graph_def, 64, seed=seed) for seed in (1, 2)]
    feed[0]["input:0"][0, 0, 0, 0] = 30
    found = {algo: convert(graph_def, feed, algo=algo) for algo in COLLECTORS}
    ranges = {algo: limits(conversion)["input/lifted"] for algo, conversion in found.items()}
    least, most = ([float(function(each["input:0"])) for each in feed] for function in (np.min, np.max))
    assert max(most) == 30
    assert ranges["DIRECT"] == pytest.approx(30 - min(least))
    assert ranges["MA"] == pytest.approx((sum(most) - sum(least)) / 2)
    assert ranges["PERCENTILE"] < ranges["DIRECT"]
    assert ranges["MSE"] < ranges["DIRECT"]
    assert ranges["KL"] < ranges["DIRECT"]
    assert convert(graph_def, feed).graph == found["DIRECT"].graph
    assert convert(graph_def, feed, algo="mse").graph == found["MSE"].graph
    for algo, conversion in found.items():
        save_statistics(conversion.statistics, str(tmp_path / algo))
    assert len({(tmp_path / algo).read_bytes() for algo in found}) == 1  # one pass serves all


def test_an_unknown_exclusion_gives_the_nearest():
    with pytest.raises(BadInputError, match="'logitz'") as caught:
        convert(build(classifier), excluded_nodes=["logitz"])
    assert "logits" in caught.value.remedy
    with pytest.raises(BadInputError, match="the excluded node 'x' is not in the graph") as caught:
        convert(build(classifier), excluded_nodes=["x"])
    assert "report" in caught.value.remedy
    with pytest.raises(BadInputError, match="no op 'Conv2d'") as caught:
        convert(build(classifier), excluded_ops=["Conv2d"])
    assert "Conv2D" in caught.value.remedy
    assert convert(build(classifier), excluded_ops=["DepthwiseConv2dNative"])


def test_nothing_to_quantize():
    with pytest.raises(QuantizationError, match="no operation can become INT8") as caught:
        convert(build(lambda: tf.nn.relu(image(), name="out")))
    assert "has no Conv2D" in caught.value.remedy
    only_convolutions = convert(build(classifier), excluded_ops=["MatMul"]).graph
    with pytest.raises(QuantizationError, match="no operation can become INT8") as caught:
        convert(only_convolutions, excluded_ops=["MatMul"])
    assert caught.value.remedy
    with pytest.raises(QuantizationError, match="stem: op excluded by the user"):
        convert(build(classifier), excluded_ops=["Conv2D", "MatMul"])
    silent = batch(build(classifier))
    silent["input:0"] *= 0
    with pytest.raises(QuantizationError, match="only: the input was always zero"):
        convert(build(lambda: conv(image(), name="only")), [silent])


def test_a_dead_input_beside_a_live_one():
    def net():
        x = conv_block(tf.nn.relu(image()), "live")
        y = conv(tf.nn.relu(image((None, 8, 8, 4), "second")), name="dead")
        tf.add(x, y, name="out")

    graph_def = build(net)
    feed = batch(graph_def)
    feed["second:0"] *= 0
    conversion = convert(graph_def, [feed])
    assert reasons(conversion) == {"live": "", "dead": "the input was always zero during calibration"}
    assert error(conversion, feed) < 0.05


def test_an_output_that_is_always_zero():
    def net():
        x = bias(conv(tf.nn.relu(image()), name="c"), values=np.full(8, -1e3, np.float32))
        tf.nn.relu(x, name="out")

    graph_def = build(net)
    assert not run(convert(graph_def).graph, batch(graph_def), "out")[0].any()


def test_channels_first_becomes_int8_too():
    def net():
        x = image((2, 4, 8, 8))
        weights = tf.constant(np.ones((3, 3, 4, 8), np.float32))
        x = v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME", data_format="NCHW", name="first")
        x = tf.transpose(tf.nn.relu(x), [0, 2, 3, 1])
        tf.identity(conv_block(x, "last"), name="out")

    graph_def = build(net)
    conversion = convert(graph_def, outputs=["out"])
    assert reasons(conversion) == {"first": "", "last": ""}
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_loops_and_branches_run_on():
    def net():
        x = conv_block(image((1, 4, 4, 4)), "before", filters=4)
        with old_control_flow():
            x = tf.while_loop(
                lambda i, t: i < 2, lambda i, t: (i + 1, conv_block(t, "body", filters=4)), [0, x], name="while"
            )[1]
            x = tf.cond(
                tf.reduce_sum(x) > 1e9,
                lambda: conv_block(x, "yes", filters=4),
                lambda: conv_block(x, "no", filters=4),
            )
        tf.identity(conv_block(x, "after"), name="out")

    graph_def = build(net)
    conversion = convert(graph_def)
    assert reasons(conversion) == {
        "before": "",
        "while/body": "",
        "cond/yes": "never ran during calibration",
        "cond/no": "",
        "after": "",
    }
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_functions_run_on():
    def net():
        x = conv_block(image((1, 4, 4, 4)), "before", filters=4)
        x = tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, conv_block(t, "body", filters=4)), [0, x])[1]
        tf.identity(conv_block(tf.ensure_shape(x, (1, 4, 4, 4)), "after"), name="out")

    graph_def = build(net)
    conversion = convert(graph_def)
    assert conversion.graph.library == graph_def.library
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_a_summand_read_elsewhere_gives_the_right_numbers():
    """Were it fused, the other reader would see the sum, or TensorFlow would refuse."""

    def net():
        x = conv_block(image((None, 8, 8, 8)), "x")
        y = bias(conv(conv_block(x, "first"), name="last"), "last/bias")
        total = tf.nn.relu(y + x)
        tf.add(tf.nn.avg_pool2d(x, 2, 1, "SAME"), tf.nn.sigmoid(total), name="out")

    graph_def = build(net)
    conversion = convert(graph_def)
    assert not any("Sum" in op for op in int8_ops(conversion.graph))
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_sums_run_with_several_threads():
    def net():
        x = conv_block(image((None, 8, 8, 8)), "stem")
        parts = []
        for branch in range(4):
            y = conv_block(x, "branch%d" % branch)
            for number in range(3):
                name = "branch%d/%d" % (branch, number)
                z = bias(conv(conv_block(y, name + "/a"), name=name + "/b"), name + "/bias")
                y = tf.nn.relu(z + y)
            parts.append(y)
        tf.concat(parts, 3, name="out")

    graph_def = build(net)
    conversion = convert(graph_def)
    assert int8_ops(conversion.graph)["QuantizedConv2DWithBiasSumAndReluAndRequantize"] == 12
    feed = batch(graph_def, seed=1)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(conversion.graph, name="")
    config = v1.ConfigProto(inter_op_parallelism_threads=4)
    with v1.Session(graph=graph, config=config) as session:
        results = [session.run("out:0", feed) for _ in range(10)]
    assert all(np.array_equal(results[0], result) for result in results)


def test_a_computed_input():
    def net():
        x = tf.identity(tf.cast(image(dtype=tf.uint8, name="bytes"), tf.float32) / 255.0, name="photo")
        tf.identity(conv_block(x, "c"), name="out")

    graph_def = build(net)
    feed = {"photo:0": np.abs(batch(build(image))["input:0"])}
    conversion = convert(graph_def, [feed], inputs=["photo"])
    assert ops(conversion.graph)["Placeholder"] == 1
    assert error(conversion, feed) < 0.05


def test_intermediate_graphs(tmp_path):
    convert(build(classifier), intermediate_dir=str(tmp_path))
    names = sorted(os.listdir(str(tmp_path)))
    assert names[-1] == "int8.pb"
    assert any("fold_batch_norms" in name for name in names)
    assert all(read_graph(str(tmp_path / name)).node for name in names)


def test_inputs_that_are_refused(tmp_path):
    graph_def = build(classifier)
    with pytest.raises(BadInputError, match="no calibration data"):
        GraphConverter(graph_def).convert()
    with pytest.raises(BadInputError, match="no calibration data"):
        convert(graph_def, [])
    with pytest.raises(BadInputError, match=r"none\.pb does not exist"):
        GraphConverter(str(tmp_path / "none.pb"))
    with pytest.raises(BadInputError, match=r"directory .*nowhere does not exist"):
        GraphConverter(graph_def, str(tmp_path / "nowhere" / "out.pb"))
    with pytest.raises(BadInputError, match="no calibration algorithm 'KLD'"):
        GraphConverter(graph_def, algo="KLD")
    with pytest.raises(BadInputError, match="'owt' is not in the graph"):
        convert(graph_def, outputs=["owt"])
    write_graph(graph_def, str(tmp_path / "whole.pb"))
    (tmp_path / "cut.pb").write_bytes((tmp_path / "whole.pb").read_bytes()[:999])
    with pytest.raises(BadInputError, match=r"truncated|not a binary frozen graph"):
        GraphConverter(str(tmp_path / "cut.pb"), calibration_data=[]).convert()


@pytest.mark.parametrize("damage", ["duplicate", "dangling", "cycle", "op", "arity"])
def test_broken_graphs_are_the_users(damage):
    graph_def = build(classifier)
    if damage == "duplicate":
        graph_def.node.add().CopyFrom(graph_def.node[1])
    elif damage == "dangling":
        node(graph_def, "a").input[0] = "nowhere"
    elif damage == "cycle":
        node(graph_def, "a").input[0] = "b"
    elif damage == "op":
        node(graph_def, "a/norm").op = "NoSuchNorm"
    else:
        del node(graph_def, "a").input[1]
    with pytest.raises(BadInputError) as caught:
        convert(graph_def, [batch(build(classifier))], outputs=["out"])
    assert "\n" not in caught.value.message


def test_a_failure_writes_nothing(tmp_path):
    with pytest.raises(BadInputError):
        convert(build(classifier), [{"input:0": np.zeros((1, 3), np.float32)}], output_graph=str(tmp_path / "o.pb"))
    assert os.listdir(str(tmp_path)) == []


def test_two_thousand_nodes():
    def net():
        x = tf.nn.relu(image((None, 2, 2, 2)))
        for number in range(330):
            x = tf.nn.relu(bias(conv(x, 2, kernel=1, name="c%d" % number), "b%d" % number))
            x = tf.identity(x)
        tf.identity(x, name="out")

    graph_def = build(net)
    assert len(graph_def.node) > 1900
    conversion = convert(graph_def)
    assert sum(int8_ops(conversion.graph).values()) == sum(row.int8 for row in conversion.op_table)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(nets(), st.sampled_from([None, None, "1.15", "2.1"]))
def test_random_networks(net, target):
    """Every INT8 op gives what integers give; the whole is as near as 8 bits a layer allow."""
    graph_def = build(net)
    try:
        conversion = convert(graph_def, per_channel=True, target_tensorflow=target)
    except QuantizationError as failure:
        if "no operation can become INT8" not in failure.message:
            raise
        return
    feed = batch(graph_def, seed=1)
    layers = 0
    for item in conversion.graph.node:
        if "WithBias" in item.op or item.op.startswith("_FusedQuantized"):
            check_int8_op(conversion.graph, feed, item.name)
            layers += 1
    wanted, given_ = (run(graph, feed, "out")[0] for graph in (conversion.input_graph, conversion.graph))
    noise = np.sqrt(np.mean(np.square(given_ - wanted)) / max(np.mean(np.square(wanted)), 1e-12))
    # rounding to 8 bits adds some hundredths a layer, and the layers' errors add up
    assert noise < 0.1 + 0.05 * layers


def padded_classifier():
    x = conv_block(tf.nn.relu(image()), "stem")
    x = tf.nn.relu6(bias(depthwise(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), padding="VALID", name="d"), "d/b"))
    x = tf.nn.max_pool2d(conv_block(x, "last"), 2, 2, "SAME")
    x = tf.nn.relu(bias(dense(tf.reduce_mean(x, [1, 2]), name="hidden"), "hidden/bias"))
    tf.nn.softmax(bias(dense(x, name="logits"), "logits/bias"), name="out")


@pytest.mark.usefixtures("everything_pays")
@pytest.mark.parametrize("target", [snapshot.version for snapshot in snapshots()])
def test_a_graph_for_older_versions(target):
    """It uses what all have, is as right, and says what an older version costs."""
    graph_def = build(padded_classifier)
    graph_def.versions.producer, graph_def.versions.min_consumer = 1286, 12
    conversion = convert(graph_def, target_tensorflow=target)
    verify_target(Graph(conversion.graph, ["out"]), Capabilities(target))
    assert conversion.graph.versions == graph_def.versions
    old = min(order(target), order(tf.__version__)) < order("2.14")
    lacking = "QuantizedMatMulWithBiasAndDequantize has no kernel for this that works from TensorFlow %s on" % target
    given = {name: reasons(conversion)[name] for name in ("stem", "d", "last", "hidden", "logits")}
    assert given == {"stem": "", "d": "", "last": "", "hidden": "", "logits": lacking if old else ""}
    product = next(item for item in conversion.graph.node if "QuantizedDepthwise" in item.op)
    assert ("explicit_paddings" in product.attr) != old, "the Pad stays a Pad"
    assert ("Pad" in ops(conversion.graph)) == old
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_a_target_without_an_op_of_the_graph():
    graph_def = build(lambda: tf.math.erfinv(conv_block(image(), "c"), name="out"))
    with pytest.raises(BadInputError, match=r"TensorFlow 1\.15\.2, .*has no Erfinv"):
        convert(graph_def, target_tensorflow="1.15")
    with pytest.raises(BadInputError, match=r"target_tensorflow 1\.14: nothing is known"):
        GraphConverter(graph_def, target_tensorflow="1.14")

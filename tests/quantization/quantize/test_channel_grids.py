"""Lifted tensors whose channels have offsets and scales of their own."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.ranges.collectors import min_max
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize import channel_grids as module
from intel_quantization.quantize.channel_grids import ChannelGrid, find_channel_grids
from intel_quantization.quantize.local_error import find_by_channel
from tests.quantization import builders as b
from tests.quantization.prepare import prepare
from tests.quantization.simulation import check_int8_op

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("everything_pays")]
# means of channels that are far from one another, next to what varies in them
MEANS = np.linspace(-40.0, 40.0, 8).astype(np.float32)
# sizes of channels that differ by a factor of a hundred
SIZES = np.geomspace(0.1, 10.0, 8).astype(np.float32)
FEED = {"input:0": b.random("values", (8, 8, 8, 4))}
OTHER = {"input:0": b.random("others", (8, 8, 8, 4))}


def bottleneck(x, name, means=MEANS, sizes=None, maker="conv"):
    """A linear op without an activation."""
    if maker == "depthwise":
        y = b.depthwise(x, name=name, weights=b.random(name, (3, 3, x.shape[-1], 1)) * np.reshape(sizes, (-1, 1)))
    else:
        weights = b.weights_for(name, (1, 1, x.shape[-1], 8))
        y = b.conv(x, name=name, weights=weights if sizes is None else weights * sizes)
    return b.bias(y, name + "/bias", means)


def reader(x, name, like=None):
    weights = b.weights_for(name, (1, 1, 8, 6))
    weights = weights if like is None else weights / np.reshape(like, (-1, 1))
    return tf.nn.relu(b.bias(b.conv(x, weights=weights, name=name), name + "/bias"), name + "/out")


def unlike_means(means=MEANS, padding=False, second=None):
    x = b.conv_block(b.image(), "first")
    y = bottleneck(x, "narrow", means)
    last = reader(y, "last")
    if padding:
        b.conv_block(y, "padding")
    if second == "fp32":
        tf.nn.elu(y, name="second")
    elif second == "pool":
        b.conv_block(tf.nn.max_pool2d(y, 2, 2, "VALID", name="pool"), "pooled", kernel=1)
    tf.identity(last, "out")


def unlike_sizes(maker="conv"):
    x = b.conv_block(b.image(), "first")
    y = bottleneck(x, "narrow", np.zeros(8, np.float32), SIZES, maker)
    tf.identity(reader(y, "last", SIZES), "out")


def residual(sizes=SIZES, second=""):
    x = b.conv_block(b.image(), "first")
    zero = np.zeros(8, np.float32)
    y = bottleneck(x, "one", zero, sizes)
    z = bottleneck(reader(y, "inner", sizes), "two", zero, sizes)
    if second == "fp32":
        tf.nn.elu(y, name="second")
    elif second == "pool":
        y = tf.nn.max_pool2d(y, 1, 1, "SAME", name="pool")
    y = tf.add(z, y, "sum")
    tf.identity(reader(y, "last", sizes), "out")


def by_fp32(kind="gate"):
    x = b.conv_block(b.image(), "first")
    size = SIZES if kind != "swish" else np.ones(8, np.float32)
    y = b.bias(b.conv(x, weights=b.weights_for("swish", (1, 1, 8, 8)), name="swish"), "swish/bias")
    y = y * tf.nn.relu6(y + 3.0) / 6.0
    if kind == "gate":
        y = y * (tf.nn.sigmoid(tf.reduce_mean(y, [1, 2], keepdims=True)) * size)
    tf.identity(reader(y, "last", size), "out")


def grids_of(graph_def, outputs=("out",), per_channel=True, patches=True):
    return find(prepare(graph_def, [FEED], outputs, patches=patches), per_channel)


def find(prepared, per_channel=True):
    arguments = (prepared.graph, prepared.items, prepared.statistics)
    by_channel = find_by_channel(*arguments, prepared.trials, per_channel)
    return find_channel_grids(*arguments, by_channel, prepared.trials, min_max, {})


def sqnr(graph_def, outputs=("out",), **options):
    conversion = GraphConverter(graph_def, outputs=list(outputs), calibration_data=[FEED], **options).convert()
    names = [name + ":0" for name in outputs]
    result = []
    for want, got in zip(b.run(graph_def, OTHER, *names), b.run(conversion.graph, OTHER, *names)):
        assert got.dtype == want.dtype
        result.append(10 * np.log10(np.var(want) * want.size / ((want - got) ** 2).sum()))
    return result if len(result) > 1 else result[0]


@pytest.mark.parametrize("per_channel", [True, False])
def test_offsets_for_channels_of_unlike_means(per_channel):
    graph_def = b.build(unlike_means)
    grids = grids_of(graph_def, per_channel=per_channel)
    (grid,) = grids.values()
    assert np.all(grid.scale == 1)
    assert grid.span < 40
    gain = sqnr(graph_def, per_channel=per_channel) - sqnr(graph_def, per_channel=per_channel, equalize=False)
    assert gain > 4, "a range much less wide; weights err as before"


@pytest.mark.parametrize("maker", ["conv", "depthwise"])
def test_scales_for_channels_of_unlike_sizes(maker):
    graph_def = b.build(unlike_sizes, maker)
    (grid,) = grids_of(graph_def).values()
    assert grid.scale[-1] > 5 * grid.scale[0]
    assert sqnr(graph_def) > sqnr(graph_def, equalize=False) + 3


def test_tensors_that_are_added_have_the_same_scales():
    graph_def = b.build(residual)
    grids = grids_of(graph_def)
    assert set(grids) == {"one/bias", "sum"}
    np.testing.assert_array_equal(grids["one/bias"].scale, grids["sum"].scale)
    assert grids["sum"].scale[-1] > 5 * grids["sum"].scale[0]
    assert not np.allclose(grids["one/bias"].low, grids["sum"].low)
    assert sqnr(graph_def) > sqnr(graph_def, equalize=False) + 3


@pytest.mark.parametrize(
    ("second", "outputs"),
    [("fp32", ("out", "second")), ("pool", ("out",)), ("", ("out", "sum")), ("", ("out", "one/bias"))],
    ids=["FP32 reads what is added", "what is added is pooled", "the sum is an output", "what is added is one"],
)
def test_added_to_what_has_no_scales(second, outputs):
    """What a pool reads has none; offsets are each tensor's own affair."""
    graph_def = b.build(residual, second=second)
    prepared = prepare(graph_def, [FEED], outputs)
    int8 = {group.root for group in prepared.groups.values()}
    assert ("sum" in int8) is (second == "pool" or "sum" in outputs)
    assert second != "pool" or all(np.all(grid.scale == 1) for name, grid in find(prepared).items() if name in int8)
    refined, plain = (exact(graph_def, FEED, outputs, equalize=value) for value in (True, False))
    for name in outputs:
        assert b.error(refined, FEED, name) < 1.1 * b.error(plain, FEED, name)


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        (("out",), "_LEAST_GAIN"),
        (("out", "second"), "_LEAST_GAIN_OF_PRODUCT"),
        (("out", "made"), "_LEAST_GAIN_OF_PRODUCT"),
    ],
    ids=["INT8 alone reads it", "FP32 reads it", "an output"],
)
def test_one_more_product_has_to_gain_more(outputs, wanted):
    def net():
        x = b.conv_block(b.image(), "first", activation=None)
        x = tf.multiply(tf.tanh(x), SIZES, name="made")
        if "second" in outputs:
            tf.nn.elu(x, name="second")
        tf.identity(reader(x, "last", SIZES), "out")

    prepared = prepare(b.build(net), [FEED], outputs)
    arguments = (prepared.graph, prepared.items, prepared.statistics)
    finder = module._Finder(*arguments, frozenset(), prepared.trials, min_max, {})
    assert ["made"] in finder.find_tied()
    assert finder._least_gain(["made"]) == getattr(module, wanted)


def test_a_signed_summand_leaves_half_of_the_range():
    """Kernels of AVX2 give 127 at most then; see emission."""

    def net():
        y = bottleneck(b.conv_block(b.image(), "first"), "one", np.zeros(8, np.float32))
        z = b.bias(b.conv(b.conv_block(y, "inner"), 8, 1, name="two"), "two/bias", MEANS)
        tf.identity(reader(tf.add(z, y, "sum"), "last"), "out")

    graph_def = b.build(net)
    prepared = prepare(graph_def, [FEED])
    assert not prepared.groups["inner"].lifted
    assert prepared.groups["two"].root == "sum"
    assert "sum" in find(prepared)
    conversion = exact(graph_def, FEED)
    assert b.error(conversion, FEED) < 0.05


@pytest.mark.parametrize("kind", ["gate", "swish"])
def test_what_fp32_makes(kind):
    graph_def = b.build(by_fp32, kind)
    plain, refined = (sqnr(graph_def, equalize=value) for value in (False, True))
    if kind == "gate":
        (grid,) = grids_of(graph_def).values()
        assert grid.scale[-1] > 5 * grid.scale[0]
        assert refined > plain + 3
    else:
        assert refined > plain - 0.3


def test_what_a_pool_reads_keeps_one_offset():
    outputs = ("out", "pooled/out")
    graph_def = b.build(unlike_means, second="pool")
    assert grids_of(graph_def, outputs) == {}
    assert min(sqnr(graph_def, outputs)) > 15


@pytest.mark.parametrize("other", ["second", "narrow/bias"], ids=["FP32 reads it", "an output"])
def test_fp32_takes_offsets_back(other):
    """Behind its Dequantize, by one Add."""
    graph_def = b.build(unlike_means, second="fp32")
    outputs = ("out", other)
    assert set(grids_of(graph_def, outputs)) == {"narrow/bias"}
    conversion = exact(graph_def, FEED, outputs)
    assert {node.name: node.op for node in conversion.graph.node}["narrow/bias"] == "Add"
    refined, plain = sqnr(graph_def, outputs), sqnr(graph_def, outputs, equalize=False)
    assert all(after > before + 4 for after, before in zip(refined, plain))


def test_fp32_takes_scales_back():
    """One more product, where the readers gain enough by it."""
    graph_def = b.build(residual, second="fp32")
    conversion = exact(graph_def, FEED, ("out", "second"))
    made = {node.name: node for node in conversion.graph.node}
    assert made["one/bias"].op == "Add"
    assert made[made["one/bias"].input[0]].op == "Mul"
    refined, plain = (sqnr(graph_def, ("out", "second"), equalize=value) for value in (True, False))
    assert min(refined) > min(plain) + 3


def test_what_fp32_reads_too_has_to_gain_more(monkeypatch):
    graph_def = b.build(unlike_means, second="fp32")
    monkeypatch.setattr(module, "_LEAST_GAIN_OF_PRODUCT", 1.0)
    assert grids_of(graph_def, ("out", "second")) == {}
    assert set(grids_of(b.build(unlike_means))) == {"narrow/bias"}


def test_what_a_padding_convolution_reads_stays():
    graph_def = b.build(unlike_means, padding=True)
    assert grids_of(graph_def, ("out", "padding/out")) == {}
    assert min(sqnr(graph_def, ("out", "padding/out"))) > 15


@pytest.mark.parametrize("channels", [3, 8])
def test_what_fp32_makes_and_a_padding_convolution_reads_stays(channels):
    """Its zeros would be other numbers in each channel; few channels are padded by FP32, ahead of lifting."""

    def net():
        sizes = np.geomspace(0.02, 20, channels).astype(np.float32)
        x = tf.tanh(b.image((None, 8, 8, channels))) * sizes
        b.conv_block(x, "padding", weights=b.weights_for("w", (3, 3, channels, 8)) / np.reshape(sizes, (-1, 1)))

    graph_def = b.build(net)
    feed = b.batch(graph_def, 8, seed=1)
    prepared = prepare(graph_def, [feed], ("padding/out",))
    assert prepared.groups["padding"].lifted is (channels == 3)
    assert find(prepared) == {}
    got = exact(graph_def, feed, ("padding/out",)).graph
    assert got == exact(graph_def, feed, ("padding/out",), equalize=False).graph


def test_channels_that_are_alike_stay():
    assert grids_of(b.build(unlike_means, np.zeros(8, np.float32))).keys() <= {"narrow/bias"}
    for grid in grids_of(b.build(unlike_means, np.zeros(8, np.float32))).values():
        assert grid.scale.max() < 2 * grid.scale.min()


def test_without_patches_nothing_is_known():
    assert grids_of(b.build(unlike_means), patches=False) == {}


def exact(graph_def, feed, outputs=("out",), **options):
    """A conversion each INT8 op of which gives what integers give."""
    conversion = b.convert(graph_def, [feed], outputs=list(outputs), **options)
    for item in conversion.graph.node:
        if item.op.startswith(("Quantized", "_FusedQuantized")) and "WithBias" in item.op and item.name != "out":
            check_int8_op(conversion.graph, feed, item.name)
    return conversion


def without_grids(monkeypatch):
    monkeypatch.setattr("intel_quantization.quantize.refinement.find_channel_grids", lambda *arguments: {})


GRAPHS = {
    "means": (unlike_means,),
    "sizes": (unlike_sizes,),
    "depthwise": (unlike_sizes, "depthwise"),
    "residual": (residual,),
    "gate": (by_fp32, "gate"),
}


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("per_channel", [True, False])
def test_each_int8_op_is_what_integers_give(kind, per_channel):
    graph_def = b.build(*GRAPHS[kind])
    assert grids_of(graph_def, per_channel=per_channel)
    assert b.error(exact(graph_def, FEED, per_channel=per_channel), FEED) < 0.1


@pytest.mark.parametrize("kind", GRAPHS)
def test_the_same_twice(kind):
    graph_def = b.build(*GRAPHS[kind])
    conversions = [b.convert(graph_def, [FEED], outputs=["out"]) for _ in range(2)]
    first, second = (conversion.graph.SerializeToString(deterministic=True) for conversion in conversions)
    assert first == second


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("kind", ["means", "sizes"])
def test_a_matrix_product_reads_them(kind, transpose, monkeypatch):
    """It has but one range for its weights."""
    monkeypatch.setattr("intel_quantization.kinds.matmul.pays_lifted", lambda case: True)  # of one row it does not
    means, sizes = (np.linspace(-40, 40, 512), 1) if kind == "means" else (0, np.geomspace(0.02, 20, 512))
    means, sizes = np.float32(means), np.float32(sizes)

    def net():
        x = tf.tanh(b.image((None, 512))) * sizes + means
        if kind == "sizes":
            x = x * tf.constant(np.float32(0.5))
        weights = b.weights_for("d", (512, 1024)) / np.reshape(sizes, (-1, 1))
        y = b.dense(x, transpose=transpose, weights=weights.T if transpose else weights, name="d")
        tf.nn.relu(b.bias(y, "bias"), name="out")

    graph_def = b.build(net)
    feed, other = b.batch(graph_def, 64, seed=1), b.batch(graph_def, 64, seed=2)
    (grid,) = find(prepare(graph_def, [feed])).values()
    assert (grid.scale.max() > 5 * grid.scale.min()) == (kind == "sizes")
    refined = b.error(exact(graph_def, feed), other)
    without_grids(monkeypatch)
    assert refined < 0.5 * b.error(exact(graph_def, feed), other)


def test_one_channel():
    def net():
        y = b.conv(b.conv_block(b.image(), "first"), 1, 1, name="narrow")
        y = b.bias(y, "narrow/bias", np.float32([30.0]))
        tf.nn.relu(b.bias(b.conv(y, 4, 1, name="last"), "last/bias"), name="out")

    assert b.error(exact(b.build(net), FEED), OTHER) < 0.05


@pytest.mark.parametrize("kind", GRAPHS)
def test_within_a_loop(kind, monkeypatch):
    function, *arguments = GRAPHS[kind]

    def body(x):
        monkeypatch.setattr(b, "image", lambda: x)
        function(*arguments)
        monkeypatch.undo()
        value = tf.compat.v1.get_default_graph().get_tensor_by_name("while/out:0")
        return tf.tanh(value[..., :4])

    def net():
        x = b.image((8, 8, 8, 4))
        with b.old_control_flow():
            _, y = tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, body(t)), [0, x], name="while")
        tf.identity(y, name="result")

    graph_def = b.build(net)
    assert grids_of(graph_def, ("result",))
    conversion = b.convert(graph_def, [FEED], outputs=["result"])
    assert b.error(conversion, OTHER, "result") < 0.15
    without_grids(monkeypatch)
    assert b.convert(graph_def, [FEED], outputs=["result"]).graph != conversion.graph


def test_fp32_reads_what_fp32_makes_as_it_is():
    """What makes it multiplies, but its product is needed twice then."""

    def net(second):
        by_fp32()
        product = tf.compat.v1.get_default_graph().get_operation_by_name("last").inputs[0]
        if second:
            tf.nn.elu(product, name="second")
        return product

    products = []
    for second, outputs in ((False, ("out",)), (True, ("out", "second"))):
        graph_def = b.build(net, second)
        conversion = exact(graph_def, FEED, outputs)
        products.append(b.ops(conversion.graph)["Mul"])
        for name in outputs:
            assert b.error(conversion, OTHER, name) < (0.06 if name == "second" else 0.15)
    assert products[1] == products[0] + 1, "one for the readers in INT8"


def test_what_waits_for_a_tensor_finds_it():
    def net():
        unlike_means()
        narrow = tf.compat.v1.get_default_graph().get_operation_by_name("narrow/bias")
        with tf.control_dependencies([narrow]):
            tf.constant([1.0, 2.0], name="late")

    conversion = exact(b.build(net), FEED, ("out", "late"))
    np.testing.assert_array_equal(b.run(conversion.graph, FEED, "late:0")[0], [1.0, 2.0])
    assert b.error(conversion, OTHER) < 0.05


def test_the_grid_itself():
    grid = ChannelGrid(np.array([-10.0, 5.0]), np.array([1.0, 0.1]), 25.5)
    np.testing.assert_allclose(grid.offset, [10.0, -50.0])
    values = np.array([[-11.0, 4.0], [-9.96, 5.004], [99.0, 99.0]], np.float32)
    np.testing.assert_allclose(grid.round(values), [[-10.0, 5.0], [-10.0, 5.0], [15.5, 7.55]], atol=1e-5)

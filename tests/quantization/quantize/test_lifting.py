"""Signed values as quint8: images that FP32 lifts, and the rules of who takes what lifted."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.lifting import Readers, pads_ahead, pads_nothing
from intel_quantization.quantize.pass_through import find_pass_through
from tests.quantization import builders as b
from tests.quantization.builders import conv_block, image, node, ops
from tests.quantization.lifted import checked, types
from tests.quantization.simulation import check_int8_op

v1 = tf.compat.v1
pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("everything_pays")]


# -- images: FP32 lifts, and pads ahead of it ------------------------------------------------------

# rounding of the image, the weights and the result: a step or so of each
ONE_LAYER = 0.02


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9)], ids=["even", "odd", "mixed"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
def test_an_image_is_padded_ahead(size, strides, kernel):
    conversion = checked(
        lambda: conv_block(image((None, *size, 3)), "c", kernel=kernel, strides=strides), ONE_LAYER, ["c/out"]
    )
    assert types(conversion, "Tinput") == {"c/out": "quint8"}
    assert ops(conversion.graph)["Add"] == 1
    # SAME pads nothing where windows of one step do not overlap the border
    totals = [max((-(-length // strides) - 1) * strides + kernel - length, 0) for length in size]
    assert ops(conversion.graph)["Pad"] == (kernel > 1 and any(totals))
    operation = node(conversion.graph, "c/out/int8")
    assert operation.attr["padding"].s == (b"SAME" if kernel == 1 else b"VALID")
    assert not operation.attr["padding_list"].list.i


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_dilated_window(dilation):
    conversion = checked(lambda: conv_block(image((None, 9, 9, 3)), "c", dilation=dilation), ONE_LAYER, ["c/out"])
    assert types(conversion, "Tinput") == {"c/out": "quint8"}


@pytest.mark.parametrize("kind", ["Pad", "EXPLICIT", "VALID"])
@pytest.mark.parametrize("strides", [1, 2])
def test_padding_that_the_graph_gives(kind, strides):
    amounts = [[0, 0], [1, 2], [0, 3], [0, 0]]

    def net():
        x = tf.pad(image(), amounts) if kind == "Pad" else image()
        weights = tf.constant(b.weights_for("c", (3, 3, 4, 8)))
        padding = amounts if kind == "EXPLICIT" else "VALID"
        x = v1.nn.conv2d(x, weights, [1, strides, strides, 1], padding, name="c")
        tf.nn.relu(b.bias(x, "c/bias"), name="out")

    conversion = checked(net, ONE_LAYER)
    assert types(conversion, "Tinput") == {"out": "quint8"}
    assert ops(conversion.graph)["Pad"] == (kind != "VALID")


def test_an_image_of_many_channels_stays_signed():
    """Padding it in FP32 costs more than it is worth."""
    conversion = checked(lambda: conv_block(image((None, 8, 8, 8)), "c"), 0.04, ["c/out"])
    assert types(conversion, "Tinput") == {"c/out": "qint8"}
    assert ops(conversion.graph)["Add"] == ops(conversion.graph)["Pad"] == 0


@pytest.mark.parametrize("strides", [1, 2])
def test_an_image_of_any_size(strides):
    """How much SAME pads depends on the size, but where the window takes one step at a time."""
    graph_def = b.build(lambda: conv_block(image((None, None, None, 3)), "c", strides=strides))
    values = b.random("values", (4, 12, 12, 3))
    feeds = [{"input:0": values[:, :size, :size]} for size in (8, 9, 12)]
    conversion = b.convert(graph_def, feeds, outputs=["c/out"], per_channel=True)
    assert types(conversion, "Tinput") == {"c/out": "quint8" if strides == 1 else "qint8"}
    for feed in feeds:
        assert b.error(conversion, feed, "c/out") < (0.02 if strides == 1 else 0.04)


def test_two_that_pad_alike_share_an_image():
    def net():
        x = image((None, 8, 8, 3))
        parts = [conv_block(x, "a"), conv_block(x, "b"), conv_block(x, "c", kernel=5), conv_block(x, "d", kernel=1)]
        tf.concat(parts, 3, name="out")

    conversion = checked(net, ONE_LAYER)
    assert set(types(conversion, "Tinput").values()) == {"quint8"}
    assert ops(conversion.graph)["QuantizeV2"] == 3  # padded by one, by two, by none
    assert ops(conversion.graph)["Pad"] == 2


@pytest.mark.parametrize("algo", ["DIRECT", "MSE", "PERCENTILE", "AUTO"])
def test_a_range_that_cuts_values_off(algo):
    """What is below the range counts as its lower end, and nothing wraps around."""
    graph_def = b.build(lambda: conv_block(image((None, 8, 8, 3)), "c"))
    feed = {"input:0": np.clip(b.random("values", (8, 8, 8, 3)), -2, 2)}
    feed["input:0"][0, 0, 0] = -9
    conversion = b.convert(graph_def, [feed], outputs=["c/out"], algo=algo)
    (name,) = (item.name for item in conversion.graph.node if "WithBias" in item.op)
    check_int8_op(conversion.graph, feed, name)
    whole = {"input:0": feed["input:0"][1:]}
    assert b.error(conversion, whole, "c/out") < 0.04
    far = {"input:0": np.full_like(feed["input:0"], -1e4)}
    assert np.isfinite(b.run(conversion.graph, far, "c/out")[0]).all()


# -- the rules by themselves -----------------------------------------------------------------------


def parts(function, outputs=("out",)):
    graph = Graph(b.build(function), outputs)
    groups = {group.linear: group for group in find_candidates(graph)[0]}
    return graph, groups, find_pass_through(graph)[0]


@pytest.mark.parametrize(
    ("options", "nothing"),
    [
        ({}, False),
        ({"padding": "VALID"}, True),
        ({"kernel": 1}, True),
        ({"kernel": 1, "strides": 2}, True),
        ({"padding": "VALID", "dilation": 2}, True),
    ],
)
def test_who_pads_nothing(options, nothing):
    graph, groups, _ = parts(lambda: tf.identity(b.conv(image(), name="c", **options), "out"))
    assert pads_nothing(graph, groups["c"]) == nothing


@pytest.mark.parametrize(("amount", "nothing"), [(0, True), (1, False)])
def test_a_fused_pad_of_nothing(amount, nothing):
    def net():
        x = tf.pad(image(), [[0, 0], [amount, 0], [0, 0], [0, 0]])
        tf.identity(b.conv(x, padding="VALID", name="c"), "out")

    graph, groups, _ = parts(net)
    assert pads_nothing(graph, groups["c"]) == nothing


@pytest.mark.parametrize(
    ("size", "options", "pads"),
    [
        ((8, 8), {}, (1, 1, 1, 1)),
        ((8, 8), {"kernel": 4}, (1, 2, 1, 2)),
        ((8, 8), {"strides": 2}, (0, 1, 0, 1)),
        ((7, 8), {"strides": 2}, (1, 1, 0, 1)),
        ((8, 8), {"kernel": 1, "strides": 2}, (0, 0, 0, 0)),
        ((8, 8), {"dilation": 2}, (2, 2, 2, 2)),
        ((None, None), {}, (1, 1, 1, 1)),
        ((None, None), {"strides": 2}, None),
        ((8, 8), {"padding": "VALID"}, None),
    ],
)
def test_how_much_fp32_pads(size, options, pads):
    graph, groups, _ = parts(lambda: tf.identity(b.conv(image((None, *size, 3)), name="c", **options), "out"))
    assert pads_ahead(graph, groups["c"], (None, 8, 8, 3)) == pads
    assert pads_ahead(graph, groups["c"], (None, 8, 8, 16)) is None
    assert pads_ahead(graph, groups["c"], None) is None


def test_who_takes_a_tensor_lifted():
    def net():
        x = image()
        pool = tf.nn.max_pool2d(x, 2, 2, "SAME", name="pool")
        wide = tf.concat([x, x], 3, name="wide")
        turned = tf.transpose(x, [0, 2, 1, 3], name="turned")
        b.conv(pool, name="three")
        b.conv(wide, kernel=1, name="one")
        b.conv(turned, kernel=1, name="two")
        flat = tf.reshape(tf.nn.relu(x, name="y"), (-1, 256), name="flat")
        b.dense(flat, name="product")

    graph, groups, passing = parts(net, ("three", "one", "two", "product"))
    readers = Readers(graph, [*groups.values(), *passing])
    taken = {name: readers.take_lifted(name) for name in ("input", "pool", "wide", "turned", "flat", "y", "product")}
    assert taken == {
        "input": False,
        "pool": False,
        "wide": True,
        "turned": True,
        "flat": True,
        "y": True,
        "product": True,
    }


def test_an_image_that_is_padded_ahead_for_one_reader_only():
    """The other, whose padding depends on the size, comes first, and reads the image as it is."""

    def net():
        x = image((None, None, None, 3))
        halved = conv_block(x, "halved", strides=2)
        padded = conv_block(x, "padded")
        tf.add(tf.reduce_mean(halved, [1, 2]), tf.reduce_mean(padded, [1, 2]), name="out")

    graph_def = b.build(net)
    feed = {"input:0": b.random("values", (3, 8, 8, 3))}
    conversion = b.convert(graph_def, [feed], per_channel=True)
    assert types(conversion, "Tinput") == {"halved/out": "qint8", "padded/out": "quint8"}
    check_int8_op(conversion.graph, feed, "halved/out/int8")
    check_int8_op(conversion.graph, feed, "padded/out/int8")
    assert b.error(conversion, feed) < ONE_LAYER


@pytest.mark.parametrize("shift", [-5.0, 5.0])
def test_padding_of_an_image_without_zeros_is_zero(shift):
    """All of its values may lie below zero, or all but one above, where the range leaves that one out."""

    def net():
        tf.identity(conv_block(image((None, 8, 8, 3)), "c"), "out")

    graph_def = b.build(net)
    values = (b.random("values", (40, 8, 8, 3)) + shift).astype(np.float32)
    if shift > 0:
        values[0, 0, 0, 0] = -0.5
    conversion = b.convert(graph_def, [{"input:0": values}], per_channel=True, algo="PERCENTILE")
    feed = {"input:0": values[1:4]}
    assert types(conversion, "Tinput") == {"c/out": "quint8"}
    assert b.error(conversion, feed) < ONE_LAYER

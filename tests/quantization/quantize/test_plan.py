"""Which candidates get an INT8 kernel, by the values that calibration saw."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.depthwise import NOT_FASTER
from intel_quantization.kinds.registry import LINEAR
from intel_quantization.ops import registry
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.plan import decide, is_unsigned
from tests.quantization.builders import bias, build, conv, conv_block, dense, depthwise, image, random

pytestmark = pytest.mark.tensorflow

LITTLE_WORK = (
    "its input goes below zero and has to be lifted for INT8, which takes longer than INT8 saves: %s of %d values, "
    "%d results; longer sequences pay, or a ReLU in front of it"
)


def planned(function, seen):
    """The groups and reasons for a graph with the output ``out``; ``seen``: tensor -> (min, max, shape)."""
    graph = Graph(build(function), ["out"])
    statistics = Statistics()
    for name, (low, high, shape) in seen.items():
        statistics.tensors[name] = TensorStatistics(100, low, high, shape)
    groups, decisions = decide(graph, find_candidates(graph)[0], statistics)
    return {group.linear: group for group in groups}, {item.node: item.reason for item in decisions}


MAP = (None, 8, 8, 4)
WIDE = (None, 8, 8, 8)


def block(linear=conv, relu=True):
    def net():
        x = bias(linear(image(), name="c"), "b")
        (tf.nn.relu if relu else tf.identity)(x, name="out")

    return net


@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("relu", [True, False])
def test_a_convolution_takes_signed_and_unsigned_input(low, relu):
    root = "out" if relu else "b"
    groups, reasons = planned(block(relu=relu), {"input": (low, 1, MAP), root: (0, 1, WIDE)})
    assert reasons == {"c": ""}
    assert groups["c"].root == root


@pytest.mark.parametrize(
    ("function", "seen", "reason"),
    [
        (block(), (0, 1, None), "the input does not always have 4 dimensions"),
        (block(), (0, 1, (None, 3)), "the input does not always have 4 dimensions"),
        (block(), (0, 0, MAP), "the input was always zero during calibration"),
        (block(), (0, 1, WIDE), "a grouped convolution has no INT8 kernel"),
        (block(depthwise), (-1, 1, MAP), NOT_FASTER),
        (block(depthwise, False), (0, 1, MAP), NOT_FASTER),
    ],
)
def test_reasons(function, seen, reason):
    groups, reasons = planned(function, {"input": seen, "out": (0, 1, WIDE), "b": (0, 1, WIDE)})
    assert groups == {}
    assert reasons == {"c": reason}


def signed_product(rows, inputs, outputs, samples=2, looped=False):
    """The group, and why it stays FP32, of a product that reads so many signed rows for each sample."""

    def net():
        x = image((None, inputs))
        if looped:
            x = tf.raw_ops.Enter(data=x, frame_name="loop")
        weights = tf.constant(random("w", (inputs, outputs)))
        if looped:
            weights = tf.raw_ops.Enter(data=weights, frame_name="loop", is_constant=True)
        tf.raw_ops.MatMul(a=x, b=weights, name="product")

    graph = Graph(build(net), ["product"])
    source = "Enter" if looped else "input"
    count = rows * samples
    seen = {
        source: TensorStatistics(count * inputs, -1, 1, (None, inputs)),
        "product": TensorStatistics(count * outputs, -1, 1, (None, outputs)),
    }
    candidates, refused = find_candidates(graph)
    assert not refused
    groups, decisions = decide(graph, candidates, Statistics(samples=samples, tensors=seen))
    return groups, {item.node: item.reason for item in decisions}["product"]


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"),
    [(1, 1024, 1000), (1, 2048, 1000), (16, 768, 768), (16, 384, 1536), (128, 128, 512), (128, 768, 768)]
    + [(512, 64, 256), (512, 128, 128)],
)
def test_signed_input_of_much_work(rows, inputs, outputs):
    groups, reason = signed_product(rows, inputs, outputs)
    assert reason == ""
    assert groups[0].lifted


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"),
    [(1, 4, 10), (1, 768, 768), (4, 768, 768), (16, 384, 384), (64, 256, 256), (128, 128, 128)]
    + [(512, 512, 16), (4096, 512, 50)],  # where results are few, lifting takes longer however many rows there are
)
@pytest.mark.parametrize("samples", [1, 8])
def test_signed_input_of_little_work(rows, inputs, outputs, samples):
    told = LITTLE_WORK % ("1 row" if rows == 1 else "%d rows" % rows, inputs, outputs)
    assert signed_product(rows, inputs, outputs, samples) == ((), told)


def test_each_round_of_a_loop_has_rows_of_its_own():
    assert signed_product(128, 384, 384)[1] == ""
    assert signed_product(128, 384, 384, looped=True) == ((), LITTLE_WORK % ("1 row", 384, 384))


def test_a_tensorflow_without_the_kernel(monkeypatch):
    monkeypatch.setattr(registry, "has_kernel", lambda op, **types: False)
    _, reasons = planned(block(), {"input": (0, 1, MAP), "out": (0, 1, WIDE)})
    assert reasons == {"c": "QuantizedConv2DWithBiasAndReluAndRequantize has no kernel for this in this TensorFlow"}


def test_signs_follow_the_producer_not_the_values(monkeypatch):
    """A convolution without ReLU gives qint8 even if no negative value was seen."""

    def net():
        x = bias(conv(image(), name="first"), "middle")
        tf.nn.relu(bias(depthwise(x, name="second"), "b"), name="out")

    seen = {"input": (0, 1, MAP), "middle": (0, 1, WIDE), "out": (0, 1, WIDE)}
    monkeypatch.setattr(registry, "has_kernel", lambda op, **types: "Depthwise" not in op)
    assert planned(net, seen)[1] == {
        "first": "",
        "second": "signed input has no INT8 kernel for DepthwiseConv2dNative",
    }
    statistics = Statistics(tensors={"middle": TensorStatistics(1, 0, 1)})
    assert is_unsigned("middle", statistics, {})
    assert not is_unsigned("middle", statistics, {"middle": False})


def residual(activation=tf.nn.relu):
    x = image(WIDE)
    y = conv_block(x, "first")
    other = tf.nn.max_pool2d(x, 3, 1, "SAME", name="other")
    activation(bias(conv(y, name="last"), "b") + other, name="out")


SEEN = {"input": (0, 1, WIDE), "first/out": (0, 1, WIDE), "out": (0, 1, WIDE), "b": (-1, 1, WIDE)}


@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("activation", [tf.nn.relu, tf.nn.relu6])
def test_a_sum_is_kept(low, activation):
    groups, _ = planned(lambda: residual(activation), dict(SEEN, other=(low, 1, WIDE)))
    assert groups["last"].summand == "other"
    assert groups["last"].summand_lifted == (low < 0)


@pytest.mark.parametrize("activation", [tf.nn.relu, tf.nn.relu6])
def test_a_sum_in_front_of_a_relu6_takes_only_an_unsigned_summand(activation):
    """The range behind a signed one is wider than what was seen, so that nothing would clip at 6."""

    def net():
        other = bias(conv(image(WIDE), name="before"), "other")
        y = conv_block(other, "first")  # it pads, so that what it reads cannot be lifted
        activation(bias(conv(y, name="last"), "b") + other, name="out")

    groups, reasons = planned(net, dict(SEEN, other=(-1, 1, WIDE)))
    assert not groups["before"].shifted
    assert groups["last"].summand == (None if activation is tf.nn.relu6 else "other")
    assert "SignedSum" in LINEAR["Conv2D"].kernel(groups["last"], True, True).op or activation is tf.nn.relu6
    assert reasons["last"] == ""


@pytest.mark.parametrize(("of_float", "low"), [(True, 0.0), (True, -1.0), (False, 0.0), (False, -1.0)])
def test_a_sum_without_a_relu_adds_int8_only(of_float, low):
    """FP32 adds faster than it quantizes what an INT8 op is to add."""

    def net():
        x = image(WIDE)
        other = tf.nn.max_pool2d(x, 3, 1, "SAME", name="other") if of_float else bias(conv(x, name="before"), "other")
        tf.tanh(bias(conv(conv_block(x, "first"), name="last"), "b") + other, name="out")

    groups, reasons = planned(net, dict(SEEN, other=(low, 1, WIDE), add=(-1, 1, WIDE)))
    assert groups["last"].summand == (None if of_float else "other")
    assert groups["last"].root == ("b" if of_float else "add")
    assert groups["last"].shifted
    assert reasons["last"] == ""


def test_a_sum_without_a_relu_that_a_padding_convolution_reads_falls_off():
    """Its result would have to be lifted: the kernels without a ReLU add nothing."""

    def net(kernel):
        x = bias(conv(image(WIDE), name="before"), "other")
        x = bias(conv(conv_block(x, "first"), name="last"), "b") + x
        tf.nn.relu(bias(conv(x, kernel=kernel, name="reader"), "c"), name="out")

    seen = dict(SEEN, other=(-1, 1, WIDE), add=(-1, 1, WIDE))
    for kernel in (1, 3):
        groups, reasons = planned(lambda kernel=kernel: net(kernel), seen)
        assert groups["last"].summand == ("other" if kernel == 1 else None)
        assert groups["reader"].lifted == (kernel == 1)
        assert not any(reasons.values())


def test_a_convolution_that_only_a_sum_reads_is_shifted():
    def net():
        x = image(WIDE)
        side = bias(conv(x, name="side"), "side/b")
        tf.nn.relu6(bias(conv(conv_block(x, "first"), name="last"), "b") + side, name="out")

    groups, _ = planned(net, dict(SEEN, **{"side/b": (-2, 1, WIDE)}))
    assert (groups["side"].shifted, groups["side"].gives_unsigned) == (True, True)
    assert groups["last"].summand == "side/b"
    assert not groups["last"].shifted
    assert LINEAR["Conv2D"].kernel(groups["side"], True).op == "QuantizedConv2DWithBiasAndReluAndRequantize"


def test_a_sum_that_does_not_fit_falls_off():
    for shape in ((None, 1, 1, 8), (None, 8, 8, 1), None):
        groups, reasons = planned(residual, dict(SEEN, other=(0, 1, shape)))
        assert (groups["last"].summand, groups["last"].root, reasons["last"]) == (None, "b", "")
        assert groups["last"].members == ("last", "b")


def test_a_sum_with_another_batch_falls_off():
    graph = Graph(build(residual), ["out"])
    seen = dict(SEEN, other=(0, 1, WIDE))
    statistics = Statistics(tensors={name: TensorStatistics(100, *item) for name, item in seen.items()})
    statistics.tensors["other"].count = 50
    groups, _ = decide(graph, find_candidates(graph)[0], statistics)
    assert [group.summand for group in groups] == [None, None]


def test_a_sum_without_a_kernel_falls_off():
    """Sum ops take no signed input."""
    groups, _ = planned(residual, {**SEEN, "first/out": (0, 1, WIDE), "other": (0, 1, WIDE)})
    assert groups["last"].summand
    real = registry.has_kernel
    try:
        registry.has_kernel = lambda op, **types: "Sum" not in op and real(op, **types)
        groups, _ = planned(residual, dict(SEEN, other=(0, 1, WIDE)))
    finally:
        registry.has_kernel = real
    assert groups["last"].summand is None


def test_only_a_product_without_relu_gives_float():
    def net():
        x = tf.nn.relu(dense(image((None, 4)), name="first"), name="x")
        dense(x, name="out", weights=random("w", (10, 3)))

    flat = (None, 4)
    groups, _ = planned(net, {"input": (0, 1, flat), "x": (0, 1, (None, 10)), "out": (-1, 1, (None, 3))})
    assert {name: LINEAR[group.op].gives_float(group) for name, group in groups.items()} == {
        "first": False,
        "out": True,
    }

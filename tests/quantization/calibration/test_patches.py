"""Patches are what the linear ops see, and every position is as likely to be drawn as any other."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration import patches
from intel_quantization.calibration.instrument import calibrate
from intel_quantization.calibration.patches import Sampler, Window, make_samplers
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.windows import window_of
from tests.quantization import builders as b

v1 = tf.compat.v1
pytestmark = pytest.mark.tensorflow

EXPLICIT = [[0, 0], [1, 2], [0, 3], [0, 0]]
CONVOLUTIONS = {
    "same": {},
    "valid": {"padding": "VALID"},
    "same strided": {"strides": 2},
    "valid strided": {"strides": 3, "padding": "VALID"},
    "even window": {"kernel": 2, "strides": 2},
    "large even window": {"kernel": 4},
    "one tap": {"kernel": 1, "strides": 2},
    "dilated": {"dilation": 2},
    "dilated valid": {"dilation": 2, "padding": "VALID"},
}


def all_patches(function, values):
    """The linear op of a graph, every patch of what it reads in the order of its output, and its output."""
    graph_def = b.build(function)
    graph = Graph(graph_def, ["out"])
    (group,) = find_candidates(graph)[0]
    node = graph.nodes[group.linear]
    window = window_of(graph, group)
    assert window.tensor == "input"
    output = b.run(graph_def, {"input:0": values}, group.linear)[0]
    assert window.positions(values.shape) == output.shape[:-1]
    found = window.cut(values, np.arange(int(np.prod(output.shape[:-1]))))
    weights = graph.constant(graph.data_inputs(node)[1])
    return found, weights, output.reshape(-1, output.shape[-1])


@pytest.mark.parametrize("size", [(8, 8), (7, 9)], ids=["even", "odd"])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_convolution_is_the_product_of_patches_and_weights(kind, size):
    values = b.random("values", (2, *size, 3))
    found, weights, output = all_patches(
        lambda: tf.identity(b.conv(b.image((None, *size, 3)), 5, name="c", **CONVOLUTIONS[kind]), "out"), values
    )
    assert found.shape == (len(output), weights.shape[0] * weights.shape[1], 3)
    np.testing.assert_allclose(found.reshape(len(found), -1) @ weights.reshape(-1, 5), output, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_depthwise_convolution_is_too(strides, padding):
    values = b.random("values", (2, 7, 9, 3))
    found, weights, output = all_patches(
        lambda: tf.identity(b.depthwise(b.image((None, 7, 9, 3)), 2, 3, strides, padding, name="c"), "out"), values
    )
    products = np.einsum("ptc,tcm->pcm", found, weights.reshape(9, 3, 2)).reshape(len(found), -1)
    np.testing.assert_allclose(products, output, atol=1e-5)


@pytest.mark.parametrize("fused", [False, True], ids=["EXPLICIT", "Pad"])
@pytest.mark.parametrize("strides", [1, 2])
def test_padding_of_any_size_on_any_side(fused, strides):
    weights = b.random("w", (3, 3, 4, 5))

    def net():
        x = b.image()
        x, padding = (tf.pad(x, EXPLICIT), "VALID") if fused else (x, EXPLICIT)
        tf.identity(v1.nn.conv2d(x, tf.constant(weights), [1, strides, strides, 1], padding, name="c"), "out")

    found, _, output = all_patches(net, b.random("values", (2, 8, 8, 4)))
    np.testing.assert_allclose(found.reshape(len(found), -1) @ weights.reshape(-1, 5), output, atol=1e-5)


@pytest.mark.parametrize("transpose", [False, True])
def test_a_matrix_product_reads_rows(transpose):
    values = b.random("values", (6, 10))
    found, weights, output = all_patches(
        lambda: tf.identity(b.dense(b.image((None, 10)), 5, transpose, name="c"), "out"), values
    )
    assert found.shape == (6, 1, 10)
    np.testing.assert_allclose(found[:, 0] @ (weights.T if transpose else weights), output, atol=1e-5)


def drawn(name, batches, most=8, channels=1):
    """What is kept of batches of rows."""
    sampler = Sampler(name, Window("t", None, channels=channels), most)
    for values in batches:
        sampler.look(values)
    return sampler


def rows(first, count):
    """Rows whose value is their number."""
    return np.arange(first, first + count, dtype=np.float32)[:, None]


def test_every_row_is_kept_while_there_is_room():
    kept = drawn("a", [rows(0, 3), rows(3, 4)]).patches()
    assert sorted(kept.reshape(-1)) == list(range(7))


def test_the_first_batches_are_as_likely_as_the_last():
    """100 rows in 10 batches, 8 kept: each batch has 8 % of all that 1000 samplers keep."""
    found = [drawn("sampler %d" % seed, [rows(10 * n, 10) for n in range(10)]).patches() for seed in range(1000)]
    share = np.bincount(np.concatenate(found).reshape(-1).astype(int) // 10, minlength=10) / 8000.0
    # the standard deviation of a share is 0.0034
    np.testing.assert_allclose(share, 0.1, atol=0.015)


def test_every_position_of_an_image_is_as_likely():
    """One image of 100 positions, of which 16 are looked at."""
    image = rows(0, 100).reshape(1, 10, 10, 1)
    found = []
    for seed in range(1000):
        sampler = Sampler("sampler %d" % seed, Window("t", (1, 1)), 16)
        sampler.look(image)
        found.append(sampler.patches())
    share = np.bincount(np.concatenate(found).reshape(-1).astype(int), minlength=100) / 16000.0
    np.testing.assert_allclose(share, 0.01, atol=0.004)  # five standard deviations


def test_the_same_name_draws_the_same():
    batches = [rows(10 * n, 10) for n in range(10)]
    first, again, other = (drawn(name, batches).patches() for name in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_batches_of_other_sizes_give_patches_too():
    sampler = Sampler("a", Window("t", (3, 3), pads=None, channels=2), 64)
    for shape in ((2, 4, 4, 2), (1, 9, 5, 2), (3, 1, 1, 2)):
        sampler.look(b.random("values", shape))
    assert sampler.patches().shape == (sampler.seen, 9, 2)
    assert sampler.seen == 32 + 16 + 3


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (4, 4, 2), (2, 4, 4, 4, 2), (0, 4, 4, 2), (2, 2, 2, 2), ()])
def test_what_the_op_cannot_read_is_left_out(shape):
    """Other channels, other ranks, no images, images smaller than the window."""
    sampler = Sampler("a", Window("t", (3, 3), channels=2), 8)
    sampler.look(np.zeros(shape, np.float32))
    assert sampler.seen == 0
    with pytest.raises(ValueError, match="no patches of 't' were drawn"):
        sampler.patches()
    sampler.look(np.ones((1, 4, 4, 2), np.float32))
    assert len(sampler.patches()) == 4


def test_large_graphs_keep_fewer_patches(monkeypatch):
    window = Window("t", (3, 3), channels=64)
    assert make_samplers({"one": window})["one"]._most == patches.MOST_PATCHES
    wide = Window("t", (3, 3), channels=512)
    assert make_samplers({"one": wide})["one"]._most == patches.MOST_VALUES // (9 * 512)
    monkeypatch.setattr(patches, "_ALL_VALUES", 576 * 200)
    assert make_samplers({"one": window})["one"]._most == 200
    assert make_samplers({"one": window, "two": window})["two"]._most == 100
    monkeypatch.setattr(patches, "_ALL_VALUES", 576 * 200)
    # too few to tell anything: those ops are not tried
    assert make_samplers({str(number): window for number in range(4)}) == {}


def test_calibration_draws_them():
    def net():
        x = b.conv_block(b.image(), "a")
        tf.identity(b.conv_block(x, "b", strides=2), "out")

    graph_def = b.build(net)
    graph = Graph(graph_def, ["out"])
    groups = find_candidates(graph)[0]
    windows = {group.linear: window_of(graph, group) for group in groups}
    observed = [group.source for group in groups]
    feed = [b.batch(graph_def, 3, seed) for seed in (1, 2)]
    statistics = calibrate(graph_def, observed, feed, windows=windows)
    assert {name: found.shape for name, found in statistics.patches.items()} == {"a": (96, 9, 4), "b": (96, 9, 8)}
    assert calibrate(graph_def, observed, feed).patches == {}

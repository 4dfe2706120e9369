"""What every topology has to show: it converts, its INT8 graph has the same interface and runs, and what is INT8."""

from __future__ import annotations

import numpy as np

from intel_quantization.reading.interface import find_outputs
from intel_quantization.transforms.convert_layout import in_nhwc
from tests.quantization.builders import convert, run
from tests.quantization.nets.layers import freeze, pictures

LINEAR = ("Conv2D", "DepthwiseConv2dNative", "MatMul")


def check(network, images, feeds, outputs, expected, **options):
    """Build, convert, run.

    Args:
        network: builds it with the Layers that it is given.
        images: name of the input tensor.
        feeds: batches of images: for the batch norms, to calibrate (two), held out.
        outputs: names of the output nodes.
        expected: how many of each op of LINEAR there are; all of them have to be INT8.
        options: of Layers.

    Returns:
        The Conversion and the reasons of the other ops that stayed FP32, each once: {(op, reason)}.
    """
    graph_def = freeze(network, {images: feeds[0]}, **options)
    conversion = convert(graph_def, [{images: feed} for feed in feeds[1:3]], outputs=outputs, per_channel=True)
    left = [item for item in conversion.decisions if not item.int8]
    assert [(item.node, item.reason) for item in left if item.op in LINEAR] == []
    assert {row.op: row.int8 for row in conversion.op_table if row.op in LINEAR} == expected
    assert find_outputs(conversion.graph, outputs) == find_outputs(graph_def, outputs)
    feed = {images: feeds[3]}
    reference = in_nhwc(graph_def, outputs)
    for before, after in zip(run(reference, feed, *outputs), run(conversion.graph, feed, *outputs)):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert np.isfinite(after).all()
    return conversion, {(item.op, item.reason) for item in left}


def sqnr(conversion, feed, name, function=lambda values: values):
    """Decibels of the signal over the error in a tensor that both graphs have, centred along its last axis.

    What does not depend on the input at all gives about -3. Narrow networks of random weights give little more than
    4 to 10, so tests ask for half of what they have.
    """
    reference = in_nhwc(conversion.input_graph, [info.node for info in conversion.outputs])
    before, after = (function(run(graph, feed, name)[0]) for graph in (reference, conversion.graph))
    before, after = (values - values.mean(axis=-1, keepdims=True) for values in (before, after))
    return 10 * np.log10((before**2).sum() / ((after - before) ** 2).sum())


def square(size, batch=4, low=-1.0, high=1.0):
    """Feeds of square float32 images."""
    return [pictures(batch, size, seed, low, high) for seed in range(4)]


def photos(height, width, batch=3):
    """Feeds of uint8 images of one size."""
    side = max(height, width)
    return [pictures(batch, side, seed, 0, 255)[:, :height, :width].astype(np.uint8) for seed in range(4)]

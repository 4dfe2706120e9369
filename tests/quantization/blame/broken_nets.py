"""A small network whose layers can be broken one by one, as calibration, weights or data may break them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.stages.again import quantize_again
from tests.quantization.builders import activate, bias, build, conv, dense, image, random, weights_for

PLAIN = Options(algo="DIRECT", equalize=False, adaptive_rounding=False)


def net(second=None, left=None, last=None, hidden=None, answers=None):
    """conv first, second, then left and right side by side, joined by a concatenation, then last and two products.

    Args:
        second, left, last, hidden, answers: what weights of these layers are multiplied with, or None.
    """
    x = image((None, 12, 12, 4))
    x = _block(x, "first", 8)
    x = _block(x, "second", 8, second)
    x = tf.concat([_block(x, "left", 8, left, 1), _block(x, "right", 8)], 3, name="join")
    x = _block(x, "last", 12, last)
    x = tf.reduce_mean(x, [1, 2], name="mean")
    x = activate(bias(_dense(x, "hidden", 16, hidden), "hidden/bias"), "relu", "hidden/out")
    bias(_dense(x, "answers", 6, answers), "out")


def _block(x, name, filters, factors=None, kernel=3):
    weights = 1.4 * weights_for(name, (kernel, kernel, int(x.shape[-1]), filters))
    weights = weights if factors is None else (weights * factors).astype(np.float32)
    values = random(name, (filters,), 0.05)
    values = values if factors is None or np.ndim(factors) != 1 else values * factors
    x = conv(x, filters, kernel, name=name, weights=weights)
    return activate(bias(x, name + "/bias", values.astype(np.float32)), "relu", name + "/out")


def _dense(x, name, units, factors):
    weights = 1.4 * weights_for(name, (int(x.shape[-1]), units))
    return dense(x, units, name=name, weights=weights if factors is None else (weights * factors).astype(np.float32))


def batches(count=6, size=4, seed=0, spikes=False):
    """Feeds; with ``spikes`` the last channel is zero but for one pixel of a thousand."""
    rng = np.random.RandomState(seed)
    for _ in range(count):
        values = rng.normal(0, 1, (size, 12, 12, 4)).astype(np.float32)
        if spikes:
            values[..., 3] = 0.0
            values.reshape(-1, 4)[rng.randint(0, size * 144, 1), 3] = 8.0
        yield {"input:0": values}


def converted(feed=batches, **factors):
    """The Conversion of a network."""
    graph = build(net, **factors)
    return GraphConverter(
        graph, calibration_data=list(feed()), algo="DIRECT", equalize=False, adaptive_rounding=False, per_channel=True
    ).convert()


def again(conversion, **ranges):
    """(Conversion, Options) with ranges of some tensors, ``second`` for ``second/out``."""
    given = {f"{name}/out": found for name, found in ranges.items()}
    options = Options(algo="DIRECT", equalize=False, adaptive_rounding=False, ranges=given)
    return quantize_again(conversion, options), options

"""A network of which some layers lose much in INT8, each by itself, and by nothing but its own weights.

Its input channel 0 is always zero, so that its weights there make no difference to FP32; they are huge, so that next to
them all others round to little or nothing.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intel_quantization.measure.runner import Runner
from tests.quantization.builders import activate, bias, build, conv, dense, image, random, weights_for

LAYERS = 8
SENSITIVE = ("conv2", "conv4", "conv6")
SIZE = 12


def net(sensitive=SENSITIVE, huge=60.0, shift=None):
    """conv0 … conv7, a mean, and scores of six classes.

    Args:
        sensitive: the layers that are to be.
        huge: how large the weights that do not matter are.
        shift: float32 [6], added to the scores; None: nothing.
    """
    x = image((None, SIZE, SIZE, 4))
    for number in range(LAYERS):
        name = f"conv{number}"
        weights = 1.4 * weights_for(name, (3, 3, int(x.shape[-1]), 16))
        if name in sensitive:
            weights[:, :, 0, :] = huge * np.abs(weights).max() * np.sign(weights[:, :, 0, :])
        values = random(name, (16,), 0.1)
        if f"conv{number + 1}" in sensitive:
            values[0] = -1000.0  # the next one's channel 0
        x = activate(bias(conv(x, 16, 3, name=name, weights=weights), name + "/bias", values), "relu", name + "/out")
    x = tf.reduce_mean(x, [1, 2], name="mean")
    scores = dense(x, 6, name="scores", weights=20 * weights_for("scores", (16, 6)))
    tf.nn.softmax(bias(scores, "scores/bias", np.zeros(6, np.float32) if shift is None else shift), name="softmax")


def write(folder, count=260, **options):
    """Write net.pb, and data.npz with the answers of FP32 as labels, of which a tenth are wrong."""
    rng = np.random.RandomState(0)
    values = (rng.normal(0, 1, (count, SIZE, SIZE, 4)) + rng.normal(0, 1, (count, 1, 1, 4))).astype(np.float32)

    def scores(graph):
        with Runner(graph, ["scores/bias:0"]) as fp32:
            return fp32.run({"input:0": values})[0]

    # a network with random weights has its favourites
    graph = build(net, shift=-scores(build(net, **options)).mean(axis=0), **options)
    answers = scores(graph).argmax(axis=1)
    labels = np.where(np.arange(count) % 10 == 0, rng.randint(0, 6, count), answers)
    (folder / "net.pb").write_bytes(graph.SerializeToString())
    np.savez(folder / "data.npz", input=values, labels=labels.astype(np.int64))
    return graph

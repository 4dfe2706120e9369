"""Conversion time of ever longer chains of residual blocks, stage by stage: it must grow linearly.

Each block is Conv2D, BiasAdd, Relu, Conv2D, BiasAdd, AddV2, Relu on a tiny image, with its constants 11 nodes.

Usage: scale.py [NODES ...]        1000 10000 50000 by default
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.graph_converter import STAGES, GraphConverter

CHANNELS = 4
NODES_A_BLOCK = 11


def chain(nodes: int) -> graph_pb2.GraphDef:
    """A frozen graph of about so many nodes."""
    v1 = tf.compat.v1
    random = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (None, 4, 4, CHANNELS), "input")
        for _ in range(nodes // NODES_A_BLOCK):
            y = tf.nn.relu(_biased(x, random))
            x = tf.nn.relu(_biased(y, random) + x)
        tf.identity(x, "output")
    return graph.as_graph_def()


def _biased(x: tf.Tensor, random: np.random.RandomState) -> tf.Tensor:
    # small, so that the values neither die out nor explode on the way
    weights = random.normal(0, 0.05, (1, 1, CHANNELS, CHANNELS)).astype(np.float32)
    bias = random.uniform(-0.05, 0.1, CHANNELS).astype(np.float32)
    return tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "SAME"), bias)


def measure(nodes: int) -> dict[str, float]:
    """Seconds of each stage."""
    graph = chain(nodes)
    times: list[tuple[str, float]] = []
    data = [{"input:0": np.random.RandomState(1).uniform(0, 1, (1, 4, 4, CHANNELS)).astype(np.float32)}]
    converter = GraphConverter(
        graph, calibration_data=data, on_stage=lambda name: times.append((name, time.perf_counter()))
    )
    conversion = converter.convert()
    times.append(("end", time.perf_counter()))
    left = {item.reason for item in conversion.decisions if item.reason}
    if left:
        print("left in FP32:", left)
    return {name: after - start for (name, start), (_, after) in itertools.pairwise(times)}


def main() -> None:
    """Print a table: a row for each length, microseconds a node for each stage."""
    print(f"{'nodes':>8}{'seconds':>10}   microseconds a node: " + "".join(f"{name:>11}" for name in STAGES))
    for nodes in [int(text) for text in sys.argv[1:]] or [1000, 10000, 50000]:
        found = measure(nodes)
        each = "".join(f"{found[name] / nodes * 1e6:11.0f}" for name in STAGES)
        print(f"{nodes:8}{sum(found.values()):10.1f}   {'':22}{each}", flush=True)


if __name__ == "__main__":
    main()

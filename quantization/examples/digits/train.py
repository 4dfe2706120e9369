"""Trains a small network on digits in seconds and writes it as a frozen graph, its batch norms not folded.

    python3 train.py training.npz digits.pb

Runs where TensorFlow is, in any version from 1.15. The network has what a quantizer meets in real ones: convolutions,
batch norms, a residual add, a depthwise layer, a concat, pooling, a dense layer.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Sequence

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

tf1 = tf.compat.v1

EPOCHS = 5
BATCH = 32
LEARNING_RATE = 3e-3
DECAY = 0.9
EPSILON = 1e-3

Initial = Callable[[Sequence[int]], np.ndarray]
"""The first value of a parameter, by its shape."""


class Trained:
    """Parameters as variables, batch norms on the batch's own statistics."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.updates: list[Any] = []

    def parameter(self, name: str, shape: Sequence[int], initial: Initial) -> Any:
        """The variable ``name``, made of the array-valued function ``initial(shape)``."""
        self.variables[name] = tf1.Variable(initial(shape).astype(np.float32), name=name)
        return self.variables[name]

    def batch_norm(self, x: Any, name: str) -> Any:
        """Normalise [n, h, w, c] over n, h and w, and note the running mean and variance."""
        channels = x.shape[-1]
        gamma, beta = self._scale(name, channels)
        mean = self.parameter(name + "/mean", [channels], np.zeros)
        variance = self.parameter(name + "/variance", [channels], np.ones)
        y, now_mean, now_variance = tf1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)
        for running, now in ((mean, now_mean), (variance, now_variance)):
            self.updates.append(tf1.assign(running, DECAY * running + (1 - DECAY) * now))
        return y

    def _scale(self, name: str, channels: int) -> tuple[Any, Any]:
        return self.parameter(name + "/gamma", [channels], np.ones), self.parameter(
            name + "/beta", [channels], np.zeros
        )


class Frozen:
    """Parameters as constants, batch norms on the running statistics.

    Args:
        values: {name: array} from training.
    """

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self._values = values

    def parameter(self, name: str, _shape: Any, _initial: Any) -> Any:
        """The constant ``name``."""
        return tf.constant(self._values[name], name=name)

    def batch_norm(self, x: Any, name: str) -> Any:
        """Normalise [n, h, w, c] by constants: one FusedBatchNorm node."""
        terms = [self.parameter(f"{name}/{part}", None, None) for part in ("gamma", "beta", "mean", "variance")]
        return tf1.nn.fused_batch_norm(x, *terms, epsilon=EPSILON, is_training=False, name=name)[0]


def network(x: Any, mode: Trained | Frozen, rng: np.random.RandomState) -> Any:
    """Class scores [n, 10] for images [n, 32, 32, 1] in -1..1; ``mode`` gives parameters and batch norms."""

    def he(shape: Sequence[int]) -> np.ndarray:
        return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)

    def conv(x: Any, channels: int, size: int, name: str, stride: int = 1) -> Any:
        kernel = mode.parameter(name + "/kernel", [size, size, x.shape[-1], channels], he)
        return mode.batch_norm(
            tf.nn.conv2d(x, kernel, strides=[1, stride, stride, 1], padding="SAME", name=name), name + "/norm"
        )

    def depthwise(x: Any, name: str) -> Any:
        kernel = mode.parameter(
            name + "/kernel", [3, 3, x.shape[-1], 1], lambda shape: rng.normal(0, np.sqrt(2 / 9), shape)
        )
        y = tf1.nn.depthwise_conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME", name=name)
        return mode.batch_norm(y, name + "/norm")

    relu = tf.nn.relu
    x = relu(conv(x, 32, 3, "stem"), name="stem/relu")
    x = relu(conv(x, 64, 3, "down", stride=2), name="down/relu")
    y = relu(conv(x, 64, 3, "block/first"), name="block/relu")
    x = relu(tf.add(conv(y, 64, 3, "block/second"), x, name="block/add"), name="block/out")
    x = relu(depthwise(x, "depthwise"), name="depthwise/relu")
    x = relu(conv(x, 128, 1, "pointwise"), name="pointwise/relu")
    x = tf1.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="pool")
    left = relu(conv(x, 64, 1, "left"), name="left/relu")
    right = relu(conv(x, 64, 3, "right"), name="right/relu")
    x = tf.concat([left, right], axis=3, name="concat")
    x = tf1.nn.avg_pool(x, [1, 8, 8, 1], [1, 1, 1, 1], "VALID", name="average")
    x = tf.reshape(x, [-1, 128], name="flat")
    x = tf.matmul(x, mode.parameter("dense/kernel", [128, 10], he), name="dense")
    return tf.nn.bias_add(x, mode.parameter("dense/bias", [10], np.zeros), name="dense/biased")


def placeholder() -> Any:
    """The network's input: one channel, any number of images."""
    return tf1.placeholder(tf.float32, [None, 32, 32, 1], name="images")


def train(images: np.ndarray, labels: np.ndarray, rng: np.random.RandomState) -> dict[str, np.ndarray]:
    """Learn from images float32 [n, 32, 32, 1] in -1..1 and labels [n]; returns {name: array}."""
    with tf.Graph().as_default():
        tf1.set_random_seed(0)
        x, mode = placeholder(), Trained()
        y, rate = tf1.placeholder(tf.int64, [None]), tf1.placeholder(tf.float32, [])
        loss = tf.reduce_mean(tf1.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=network(x, mode, rng)))
        learnt = [v for name, v in mode.variables.items() if not name.endswith(("/mean", "/variance"))]
        step = tf1.train.AdamOptimizer(rate).minimize(loss, var_list=learnt)
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            for epoch in range(EPOCHS):
                order, losses = rng.permutation(len(images)), []
                for start in range(0, len(order) - BATCH + 1, BATCH):
                    chosen = order[start : start + BATCH]
                    feed = {x: images[chosen], y: labels[chosen], rate: LEARNING_RATE * (1 - epoch / EPOCHS)}
                    losses.append(session.run([loss, step, mode.updates], feed)[0])
                print(f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.4f}", flush=True)
            return session.run(mode.variables)


def freeze(values: dict[str, np.ndarray], path: str) -> None:
    """Write the network with ``values`` as constants to ``path``."""
    with tf.Graph().as_default() as graph:
        tf.nn.softmax(network(placeholder(), Frozen(values), np.random.RandomState(0)), name="predictions")
        with open(path, "wb") as stream:
            stream.write(graph.as_graph_def().SerializeToString())


def main(source: str, target: str) -> None:
    """Train on the npz ``source`` and write the graph to ``target``."""
    with np.load(source) as data:
        images = data["images"].astype(np.float32) / np.float32(127.5) - 1
        labels = data["labels"]
    freeze(train(images, labels, np.random.RandomState(0)), target)
    print(f"wrote {target}: {os.path.getsize(target) / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

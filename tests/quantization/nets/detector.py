"""A detector as the TF Object Detection API of TensorFlow 1 exports them, in small."""

from __future__ import annotations

import tensorflow as tf

from tests.quantization.builders import activate, bias, conv, image, old_control_flow, weights_for


def block(x, name, filters):
    x = conv(x, filters, 3, name=name, weights=weights_for(name, (3, 3, int(x.shape[-1]), filters)))
    return activate(bias(x, name + "/bias"), "relu", name + "/out")


def detector():
    """A loop of TensorFlow 1, two layers, boxes and scores, and a suppression in another loop."""
    shape = (1, 8, 8, 4)
    with old_control_flow():
        x = tf.while_loop(lambda number, _x: number < 2, lambda number, x: (number + 1, 2.0 * x), (0, image(shape)))[1]
        x = block(block(tf.reshape(x, shape), "first", 8), "second", 8)
        boxes = tf.reshape(x[..., :4], (-1, 4), name="boxes")
        scores = tf.reduce_mean(tf.reshape(x[..., 4:], (-1, 4)), axis=1, name="scores")

        def step(number, kept):
            chosen = tf.image.non_max_suppression(boxes, scores * tf.cast(number + 1, tf.float32), 5)
            return number + 1, kept + tf.reduce_sum(tf.gather(scores, chosen))

        _number, total = tf.while_loop(lambda number, _kept: number < 3, step, (0, 0.0))
    tf.identity(total, name="out")

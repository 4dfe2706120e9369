"""What the object detection API puts around its convolutions: loops over images, anchors, box codes, suppression."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def fixed_resizer(images, size):
    """uint8 images to float32 [N, size, size, 3], resized one after the other in a loop."""
    x = tf.cast(images, tf.float32, name="ToFloat")
    with tf.name_scope("Preprocessor"):
        x = v1.map_fn(lambda image: v1.image.resize_images(image, (size, size)), x, dtype=tf.float32)
        return tf.reshape(x, (-1, size, size, 3))


def range_resizer(images, shortest, longest):
    """uint8 images to float32, resized in a loop until the shorter side is ``shortest``, unless the other then exceeds
    ``longest``: a branch in a loop."""

    def one(image):
        sides = tf.cast(tf.shape(image)[:2], tf.float32)
        small, large = tf.reduce_min(sides), tf.reduce_max(sides)
        factor = v1.cond(
            large * (shortest / small) > longest, lambda: longest / large, lambda: tf.identity(shortest / small)
        )
        return v1.image.resize_images(image, tf.cast(tf.round(sides * factor), tf.int32))

    x = tf.cast(images, tf.float32, name="ToFloat")
    with tf.name_scope("Preprocessor"):
        x = v1.map_fn(one, x, dtype=tf.float32)
        x.set_shape((None, None, None, 3))
        return x


def head(layers, x, anchors, codes, name, kernel=1):
    """A convolution with a bias, as [N, height * width * anchors, codes]."""
    y = layers.bias(layers.conv(x, anchors * codes, kernel, name=name, gain=1.0), name)
    return tf.reshape(y, tf.stack([tf.shape(x)[0], -1, codes]), name=name + "/Reshape")


def grid_anchors(x, stride, sizes, name):
    """Anchors [height * width * sizes, 4] for each place of a feature map, (ymin, xmin, ymax, xmax) in pixels."""
    with tf.name_scope(name):
        shape = tf.shape(x)
        rows = tf.cast(tf.range(shape[1]), tf.float32) * float(stride)
        columns = tf.cast(tf.range(shape[2]), tf.float32) * float(stride)
        columns, rows = tf.meshgrid(columns, rows)
        centres = tf.reshape(tf.stack([rows, columns], axis=2), (-1, 1, 2))
        half = tf.constant(np.array([[size / 2, size / 2] for size in sizes], np.float32))[None]
        return tf.reshape(tf.concat([centres - half, centres + half], axis=2), (-1, 4))


def decode(codes, anchors, name):
    """Boxes [N, count, 4] of codes [N, count, 4] upon anchors [count, 4]."""
    with tf.name_scope(name):
        tiled = tf.tile(anchors[None], tf.stack([tf.shape(codes)[0], 1, 1]))
        ymin, xmin, ymax, xmax = tf.unstack(tf.transpose(tf.reshape(tiled, (-1, 4))))
        ty, tx, th, tw = tf.unstack(tf.transpose(tf.reshape(codes, (-1, 4))))
        height, width = (ymax - ymin), (xmax - xmin)
        y, x = ty / 10.0 * height + (ymin + ymax) / 2.0, tx / 10.0 * width + (xmin + xmax) / 2.0
        height, width = tf.exp(th / 5.0) * height / 2.0, tf.exp(tw / 5.0) * width / 2.0
        boxes = tf.transpose(tf.stack([y - height, x - width, y + height, x + width]))
        return tf.reshape(boxes, tf.shape(codes))


def suppress(boxes, scores, most, name, threshold=0.6):
    """Non-maximum suppression class by class, image by image in a loop.

    Args:
        boxes: [N, count, 1 or classes, 4].
        scores: [N, count, classes].
        most: detections to keep of each image.

    Returns:
        Boxes [N, most, 4], scores and classes [N, most] and the numbers [N] of detections; zeros behind those.
    """

    def one(element):
        box, score = element
        kept = []
        for number in range(int(scores.shape[2])):
            own = box[:, number if int(boxes.shape[2]) > 1 else 0]
            above = tf.reshape(tf.where(score[:, number] > 1e-8), [-1])
            own, value = tf.gather(own, above), tf.gather(score[:, number], above)
            chosen = tf.image.non_max_suppression(own, value, most, threshold)
            value = tf.gather(value, chosen)
            kept.append((tf.gather(own, chosen), value, tf.zeros_like(value) + float(number)))
        own, value, label = (tf.concat(parts, 0) for parts in zip(*kept))
        count = tf.minimum(tf.size(value), most)
        value, order = tf.nn.top_k(value, count)
        missing = most - count
        own = tf.pad(tf.gather(own, order), [[0, missing], [0, 0]])
        value, label = (tf.pad(part, [[0, missing]]) for part in (value, tf.gather(label, order)))
        own.set_shape((most, 4))
        value.set_shape((most,))
        label.set_shape((most,))
        return own, value, label, tf.cast(count, tf.float32)

    with tf.name_scope(name):
        return v1.map_fn(one, (boxes, scores), dtype=(tf.float32,) * 4)


def detections(boxes, scores, most, name="Postprocessor/BatchMultiClassNonMaxSuppression"):
    """The four outputs of every detector: detection_boxes, _scores, _classes and num_detections."""
    own, value, label, count = suppress(boxes, scores, most, name)
    tf.identity(own, name="detection_boxes")
    tf.identity(value, name="detection_scores")
    tf.identity(label + 1.0, name="detection_classes")
    tf.identity(count, name="num_detections")

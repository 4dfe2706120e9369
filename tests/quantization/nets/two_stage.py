"""Two-stage detectors of the object detection API: Faster R-CNN upon ResNet-50, R-FCN upon ResNet-101."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.quantization.nets.detection import decode, detections, grid_anchors, head, range_resizer, suppress
from tests.quantization.nets.slim_resnet import UNITS_50, UNITS_101, block, stem

v1 = tf.compat.v1
_MEAN = np.array([123.68, 116.779, 103.939], np.float32)


def faster_rcnn_resnet50(layers, sides=(600, 1024), classes=90, base=64, units=UNITS_50, proposals=300):
    """``image_tensor`` uint8 of any size -> ``detection_*``; 56 Conv2D: 43 of the first three blocks, 3 that propose,
    10 of the fourth block on 7x7 crops; 2 MatMul.

    Args:
        sides: the shortest and the longest side of an image after the resizing.
        base: the filters of the first convolution.
        proposals: regions of each image that reach the second stage.
    """
    x, boxes = _first_stage(layers, sides, base, units, proposals, "resnet_v1_50")
    normalised = boxes / _extent(x)
    index = tf.range(tf.shape(x)[0])[:, None] * tf.ones_like(tf.cast(boxes[:, :, 0], tf.int32))
    crops = tf.image.crop_and_resize(x, tf.reshape(normalised, (-1, 4)), tf.reshape(index, (-1,)), (14, 14))
    y = tf.nn.max_pool2d(crops, 2, 2, "SAME", name="MaxPool2D/MaxPool")
    y = block(layers, y, base << 3, units[3], 1, "SecondStageFeatureExtractor/resnet_v1_50/block4")
    y = tf.reduce_mean(y, [1, 2], keepdims=True, name="SecondStageBoxPredictor/AvgPool")
    y = tf.reshape(y, tf.stack([tf.shape(y)[0], int(y.shape[-1])]), name="SecondStageBoxPredictor/Flatten/Reshape")
    y = tf.reshape(y, (-1, 32 * base))
    codes = layers.dense(y, classes * 4, "SecondStageBoxPredictor/BoxEncodingPredictor")
    scores = layers.dense(y, classes + 1, "SecondStageBoxPredictor/ClassPredictor")
    _second_stage(boxes, x, codes, scores, classes, proposals)


def rfcn_resnet101(layers, sides=(600, 1024), classes=90, base=64, units=UNITS_101, proposals=300, bins=3):
    """As above, but with position-sensitive score maps, which are cropped instead of features; 110 Conv2D: 94, 3, 10
    and 3 for the maps, the fourth block dilated."""
    x, boxes = _first_stage(layers, sides, base, units, proposals, "resnet_v1_101")
    root = "SecondStageFeatureExtractor/resnet_v1_101/block4"
    y = block(layers, x, base << 3, units[3], 1, root, rate=2)
    name = "SecondStageBoxPredictor/"
    y = tf.nn.relu(_biased(layers, y, 16 * base, name + "Conv"), name=name + "Conv/Relu")
    places = _biased(layers, y, bins * bins * classes * 4, name + "LocationPredictor")
    scores = _biased(layers, y, bins * bins * (classes + 1), name + "ClassPredictor")
    normalised = boxes / _extent(x)
    codes, scores = (_sensitive(maps, normalised, bins) for maps in (places, scores))
    _second_stage(boxes, x, codes, scores, classes, proposals)


def _first_stage(layers, sides, base, units, proposals, net):
    """The feature map of three blocks, and proposed boxes [N, proposals, 4] in pixels of the resized image."""
    x = v1.placeholder(tf.uint8, (None, None, None, 3), "image_tensor")
    x = tf.subtract(range_resizer(x, *(float(side) for side in sides)), _MEAN, name="Preprocessor/sub")
    root = "FirstStageFeatureExtractor/%s/%s" % (net, net)
    x = stem(layers, x, base, root)
    for number in range(3):
        x = block(layers, x, base << number, units[number], 2 if number < 2 else 1, "%s/block%d" % (root, number + 1))
    y = layers.bias(layers.conv(x, 8 * base, 3, name="Conv"), "Conv")
    y = tf.nn.relu6(y, name="Conv/Relu6")
    codes = head(layers, y, 12, 4, "FirstStageBoxPredictor/BoxEncodingPredictor")
    scores = head(layers, y, 12, 2, "FirstStageBoxPredictor/ClassPredictor")
    sizes = [sides[0] * 0.08 * (1 + step) for step in range(12)]
    boxes = decode(codes, grid_anchors(y, 16, sizes, "GridAnchorGenerator"), "Decode")
    scores = tf.nn.softmax(scores, name="FirstStagePostprocessor/Softmax")[:, :, 1:]
    limits = tf.tile(_extent(x), [1, 1, 1])
    boxes = tf.maximum(tf.minimum(boxes, limits), 0.0, name="ClipToWindow")
    boxes = suppress(boxes[:, :, None], scores, proposals, "FirstStagePostprocessor/BatchMultiClassNonMaxSuppression")
    return x, tf.stop_gradient(boxes[0], name="proposals")


def _extent(x):
    """Height, width, height, width in pixels [1, 1, 4] of the image behind a feature map."""
    size = tf.cast(tf.shape(x)[1:3], tf.float32) * 16.0
    return tf.concat([size, size], 0)[None, None]


def _biased(layers, x, filters, name):
    return layers.bias(layers.conv(x, filters, 1, name=name, gain=1.0), name)


def _sensitive(maps, boxes, bins):
    """Position-sensitive pooling: each of the bins of a box reads its own group of channels.

    Args:
        maps: [N, height, width, bins * bins * codes].
        boxes: [N, count, 4], 0..1.

    Returns:
        [N * count, codes]
    """
    codes = int(maps.shape[-1]) // (bins * bins)

    def one(element):
        image, box = element
        ymin, xmin, ymax, xmax = tf.unstack(box, axis=1)
        rows, columns = (ymax - ymin) / bins, (xmax - xmin) / bins
        pooled = []
        for number, part in enumerate(tf.split(image[None], bins * bins, axis=3)):
            y, x = ymin + rows * (number // bins), xmin + columns * (number % bins)
            own = tf.stack([y, x, y + rows, x + columns], axis=1)
            crop = tf.image.crop_and_resize(part, own, tf.zeros_like(own[:, 0], tf.int32), (2, 2))
            pooled.append(crop)
        return tf.reduce_mean(tf.add_n(pooled) / float(len(pooled)), [1, 2])

    return tf.reshape(v1.map_fn(one, (maps, boxes), dtype=tf.float32), (-1, codes))


def _second_stage(proposed, x, codes, scores, classes, proposals):
    count = proposals * classes
    codes = tf.reshape(codes, (-1, count, 4))
    anchors = tf.reshape(tf.tile(proposed[:, :, None], [1, 1, classes, 1]), (-1, 4))
    boxes = tf.reshape(
        decode(tf.reshape(codes, (1, -1, 4)), anchors, "SecondStagePostprocessor/Decode"), (-1, count, 4)
    )
    boxes = tf.reshape(boxes / _extent(x), (-1, proposals, classes, 4))
    scores = tf.nn.softmax(scores, name="SecondStagePostprocessor/convert_scores")[:, 1:]
    name = "SecondStagePostprocessor/BatchMultiClassNonMaxSuppression"
    detections(boxes, tf.reshape(scores, (-1, proposals, classes)), 10, name)

"""Single-shot detectors: SSD-MobileNet v1 of the object detection API, SSD-ResNet34 of MLPerf."""

from __future__ import annotations

import tensorflow as tf

from tests.quantization.nets.detection import decode, detections, fixed_resizer, grid_anchors, head
from tests.quantization.nets.mobilenet import slim_features

v1 = tf.compat.v1


def ssd_mobilenet_v1(layers, size=300, classes=90, width=1.0):
    """``image_tensor`` uint8 of any size -> ``detection_*``; 34 Conv2D (13 pointwise, 8 further feature maps, 12 box
    predictors, the first), 13 depthwise; the resizing and the suppression in loops."""
    x = v1.placeholder(tf.uint8, (None, None, None, 3), "image_tensor")
    x = tf.subtract(fixed_resizer(x, size) * 0.007843137718737125, 1.0, name="Preprocessor/sub")
    root = "FeatureExtractor/MobilenetV1"
    features = slim_features(layers, x, root, width)
    maps = [features[11], features[13]]
    name = root + "/Conv2d_13_pointwise"
    for number, full in enumerate((512, 256, 256, 128), 2):
        count = max(int(full * width), 8)
        narrow, wide = "%s_1_Conv2d_%d_1x1" % (name, number), "%s_2_Conv2d_%d_3x3_s2" % (name, number)
        y = layers.conv_norm(maps[-1], max(count // 2, 8), 1, name=narrow, activation=tf.nn.relu6)
        maps.append(layers.conv_norm(y, count, 3, 2, name=wide, activation=tf.nn.relu6))
    codes, scores, anchors = [], [], []
    for number, y in enumerate(maps):
        count, name = 6 if number else 3, "BoxPredictor_%d" % number
        codes.append(head(layers, y, count, 4, name + "/BoxEncodingPredictor"))
        scores.append(head(layers, y, count, classes + 1, name + "/ClassPredictor"))
        stride, low = size / int(y.shape[1]), size * (0.2 + 0.15 * number)
        sizes = [low * (1 + 0.1 * step) for step in range(count)]
        anchors.append(grid_anchors(y, stride, sizes, "MultipleGridAnchorGenerator_%d" % number))
    codes, scores = tf.concat(codes, 1, name="concat"), tf.concat(scores, 1, name="concat_1")
    boxes = decode(codes, tf.concat(anchors, 0, name="Concatenate/concat"), "Postprocessor/Decode") / float(size)
    scores = tf.sigmoid(scores, name="Postprocessor/convert_scores")[:, :, 1:]
    detections(boxes[:, :, None], scores, 10)


def ssd_resnet34(layers, size=300, classes=81, base=64, batch=1):
    """``input`` -> ``v/stack`` boxes and ``v/Softmax`` scores; of ResNet-34 the first three stages, the third without
    its stride. With Layers of NCHW the images are turned at the input, as MLPerf trained it. 51 Conv2D."""
    channels_first = layers.channels_first
    x = v1.placeholder(tf.float32, (batch, size, size, 3), "input")
    if channels_first:
        x = tf.transpose(x, [0, 3, 1, 2], name="v/transpose")
    root = "v/resnet34/"
    x = layers.conv_norm(x, base, 7, 2, name=root + "conv0")
    window, step = ([1, 1, 3, 3], [1, 1, 2, 2]) if channels_first else ([1, 3, 3, 1], [1, 2, 2, 1])
    layout = "NCHW" if channels_first else "NHWC"
    x = tf.raw_ops.MaxPool(
        input=x, ksize=window, strides=step, padding="SAME", data_format=layout, name=root + "mpool0/MaxPool"
    )
    for stage, (count, strides) in enumerate(((3, 1), (4, 2), (6, 1))):
        for number in range(count):
            name = "%sresnet%d_%d" % (root, stage, number)
            x = _basic(layers, x, base << stage, strides if number == 0 else 1, name)
    maps = [x]
    plan = ((8, 2, "SAME"), (8, 2, "SAME"), (4, 2, "SAME"), (4, 1, "VALID"), (4, 1, "VALID"))
    for number, (factor, strides, padding) in enumerate(plan):
        count = factor * base
        y = _plain(layers, maps[-1], count // 2, 1, 1, "VALID", "v/conv%d" % (2 * number))
        maps.append(_plain(layers, y, count, 3, strides, padding, "v/conv%d" % (2 * number + 1)))
    boxes, scores = [], []
    for number, (y, count) in enumerate(zip(maps, (4, 6, 6, 6, 4, 4))):
        boxes.append(_codes(layers, y, count, 4, batch, channels_first, "v/cg/loc%d" % number))
        scores.append(_codes(layers, y, count, classes, batch, channels_first, "v/cg/conf%d" % number))
    boxes, scores = tf.concat(boxes, 1, name="v/concat"), tf.concat(scores, 1, name="v/concat_1")
    packed = tf.concat([boxes, scores], 2, name="v/concat_2")
    boxes, scores = tf.split(packed, [4, classes], 2, name="v/split")
    y, x, height, width = tf.unstack(boxes, axis=2)
    height, width = tf.exp(height * 0.2), tf.exp(width * 0.2)
    tf.stack([x - width, y - height, x + width, y + height], axis=2, name="v/stack")
    tf.nn.softmax(scores, name="v/Softmax")


def _basic(layers, x, filters, strides, name):
    y = layers.conv_norm(x, filters, 3, strides, name=name + "/conv1")
    y = layers.conv_norm(y, filters, 3, name=name + "/conv2", activation=None)
    if layers.channels(x) != filters or strides > 1:
        x = layers.conv_norm(x, filters, 1, strides, name=name + "/shortcut", activation=None)
    return tf.nn.relu(tf.raw_ops.Add(x=x, y=y, name=name + "/add"), name=name + "/Relu")


def _plain(layers, x, filters, kernel, strides, padding, name):
    return tf.nn.relu(layers.bias(layers.conv(x, filters, kernel, strides, padding, name), name), name=name + "/Relu")


def _codes(layers, x, anchors, codes, batch, channels_first, name):
    y = layers.bias(layers.conv(x, anchors * codes, 3, name=name, gain=1.0), name)
    if not channels_first:
        y = tf.transpose(y, [0, 3, 1, 2])
    y = tf.transpose(tf.reshape(y, [batch, anchors, codes, -1]), [0, 1, 3, 2])
    return tf.reshape(y, [batch, -1, codes], name=name + "/codes")

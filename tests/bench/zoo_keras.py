"""The families of keras.applications, and other shapes of networks, with random weights: how far INT8 reaches.

A row of a Markdown table for each: the share of the multiply-accumulates of one sample that INT8 ops do, why the rest
stays FP32, SQNR of the outputs on samples that did not calibrate, and speed over FP32. Batch norms have the statistics
of random images, so that values neither die nor explode. Times are CPU times of one thread at batch 1, in turns; the
speed-up is the median of the ratios of each turn. Weights are random: SQNR ranks, it does not tell accuracy.

Usage: zoo_keras.py [NET ...] [--list] [--turns 30] [--batch 1] [--seconds 900]
  Each network has a process of its own, which ends after so many seconds; what fails has its error in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

APPLICATIONS = [
    "ResNet50",
    "ResNet50V2",
    "InceptionV3",
    "Xception",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "DenseNet121",
    "NASNetMobile",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "ConvNeXtTiny",
    "RegNetX002",
    "RegNetY002",
    "ResNetRS50",
    "VGG16",
]
OTHERS = ["unet", "lstm", "gru", "conv1d", "grouped", "resnext", "shufflenet", "transformer", "recommender"]
RAW = ("Efficient", "MobileNetV3", "ConvNeXt", "RegNet", "ResNetRS")  # take pixels as they are
LINEAR = ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Einsum", "Conv2DBackpropInput")
CALIBRATION, HELD_OUT = 8, 8


# -- the networks --------------------------------------------------------------------------------


def application(name):
    """A Keras application, and what its pixels are."""
    import tensorflow as tf

    kind = getattr(tf.keras.applications, name)
    options = {"input_shape": (224, 224, 3)} if name.startswith("MobileNetV3") else {}
    return kind(weights=None, **options), (0.0, 255.0) if name.startswith(RAW) else (-1.0, 1.0)


def other(name):
    """A network of another kind, and the range of its input."""
    import tensorflow as tf

    layers, keras = tf.keras.layers, tf.keras

    def block(x, filters, **options):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, **options)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    if name == "unet":
        x = first = keras.Input((128, 128, 3))
        kept = []
        for filters in (32, 64, 128):
            x = block(block(x, filters), filters)
            kept.append(x)
            x = layers.MaxPool2D()(x)
        x = block(block(x, 256), 256)
        for filters, beside, kernel in zip((128, 64, 32), reversed(kept), (2, 3, 4), strict=False):
            x = layers.ReLU()(layers.Conv2DTranspose(filters, kernel, 2, padding="same")(x))
            x = block(block(layers.Concatenate()([x, beside]), filters), filters)
        return keras.Model(first, layers.Conv2D(4, 1)(x)), (-1.0, 1.0)
    if name in ("lstm", "gru"):
        kind = {"lstm": layers.LSTM, "gru": layers.GRU}[name]
        x = first = keras.Input((32, 512))
        x = kind(1024)(kind(1024, return_sequences=True)(x))
        return keras.Model(first, layers.Dense(1000)(x)), (-1.0, 1.0)
    if name == "conv1d":
        x = first = keras.Input((1024, 16))
        for filters in (64, 128, 256):
            x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(filters, 5, 2, padding="same")(x)))
        return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling1D()(x))), (-1.0, 1.0)
    if name in ("grouped", "resnext"):
        groups = {"grouped": 64, "resnext": 8}[name]
        x = first = keras.Input((64, 64, 3))
        x = block(x, 64)
        for _number in range(3):
            x = block(layers.ReLU()(layers.Conv2D(64, 1)(block(x, 64, groups=groups))), 64)
        return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))), (-1.0, 1.0)
    if name == "shufflenet":
        x = first = keras.Input((64, 64, 3))
        x = block(x, 64, strides=2)
        for _number in range(4):
            left, right = tf.split(x, 2, 3)
            right = layers.ReLU()(layers.Conv2D(32, 1)(right))
            right = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(right))
            x = tf.concat([left, layers.ReLU()(layers.Conv2D(32, 1)(right))], 3)
            size = x.shape[1:3]
            x = tf.reshape(tf.transpose(tf.reshape(x, (-1, *size, 2, 32)), (0, 1, 2, 4, 3)), (-1, *size, 64))
        x = block(x, 128)
        return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))), (-1.0, 1.0)
    if name == "transformer":
        x = first = keras.Input((128, 384))
        for _number in range(3):
            again = layers.LayerNormalization()(x)
            x = x + layers.MultiHeadAttention(6, 64)(again, again)
            again = layers.Dense(1536, activation="gelu")(layers.LayerNormalization()(x))
            x = x + layers.Dense(384)(again)
        return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling1D()(x))), (-1.0, 1.0)
    x = first = keras.Input((512,))
    for width in (1024, 1024, 512):
        x = layers.Dense(width, activation="relu")(x)
    return keras.Model(first, layers.Dense(1)(x)), (0.0, 1.0)


def frozen(name):
    """A network as a GraphDef, the range of its input, and its shape."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tf.keras.utils.set_random_seed(0)
    model, ends = application(name) if name in APPLICATIONS else other(name)
    shape = tuple(size or 224 for size in model.input_shape[1:])
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    for _round in range(2):
        model(samples(4, shape, ends, 3), training=True)
    function = tf.function(lambda x: model(x, training=False))
    signature = tf.TensorSpec((None, *shape), tf.float32, name="x")
    result = convert_variables_to_constants_v2(function.get_concrete_function(signature))
    return result.graph.as_graph_def(), result.outputs[0].name, ends, shape


def samples(count, shape, ends, seed):
    """Random input with structure: low frequencies, as photos have, and some noise."""
    random = np.random.RandomState(seed)
    values = random.uniform(size=(count, *shape)).astype(np.float32)
    for axis in range(1, len(shape)):
        values = (values + np.roll(values, 1, axis) + np.roll(values, 2, axis)) / 3.0
    low, high = values.min(), values.max()
    return (values - low) / (high - low) * np.float32(ends[1] - ends[0]) + np.float32(ends[0])


# -- what came of it -----------------------------------------------------------------------------


def count_products(graph_def):
    """The multiply-accumulates of one sample by node, of what is linear in an FP32 graph; loops count once."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    counts = {}
    for op in graph.get_operations():
        if op.type not in LINEAR:
            continue
        made, weights = op.outputs[0].shape, op.inputs[1].shape
        if made.rank is None or weights.rank is None:
            continue
        outputs = np.prod([size or 1 for size in made.as_list()], dtype=np.float64)
        if op.type == "Conv2D":
            outputs *= np.prod(weights.as_list()[:3])
        elif op.type == "DepthwiseConv2dNative":
            outputs *= np.prod(weights.as_list()[:2])
        elif op.type == "MatMul":
            outputs *= weights.as_list()[1 if op.get_attr("transpose_b") else 0] or 1
            rows = made.as_list()[0]
            if rows is None and op.inputs[0].op.type == "Reshape":  # rows of all positions of the sample
                source = op.inputs[0].op.inputs[0].shape
                outputs *= np.prod([size or 1 for size in (source.as_list()[:-1] if source.rank else [])])
        else:
            outputs *= (op.inputs[0].shape.as_list() or [1])[-1] or 1
        counts[op.name] = float(outputs)
    return counts


def session(graph_def):
    """A session of one thread."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    v1 = tf.compat.v1
    config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    return v1.Session(graph=graph, config=config)


def time_turns(runs, turns):
    """CPU seconds of each run, in turns: [turns, runs]."""
    for _round in range(4):
        for run in runs:
            run()
    taken = []
    for _turn in range(turns):
        row = []
        for run in runs:
            begin = time.process_time()
            run()
            row.append(time.process_time() - begin)
        taken.append(row)
    return np.array(taken)


def measure(name, turns, batch):
    """One row, as a dict."""
    from intel_quantization.graph_converter import GraphConverter

    graph_def, output, ends, shape = frozen(name)
    feed = [{"x:0": samples(4, shape, ends, seed)} for seed in range(CALIBRATION // 4)]
    begin = time.monotonic()
    conversion = GraphConverter(graph_def, calibration_data=feed, algo="AUTO", threads=1).convert()
    took = time.monotonic() - begin
    products = count_products(conversion.fp32_graph)
    int8 = {decision.node for decision in conversion.decisions if decision.int8}
    reasons = Counter()
    for decision in conversion.decisions:
        if not decision.int8 and products.get(decision.node):
            reasons["%s: %s" % (decision.op, decision.reason)] += products[decision.node]
    total = sum(products.values())
    sessions = [session(graph_def), session(conversion.graph)]
    held_out = samples(HELD_OUT, shape, ends, 99)
    wanted, given = (item.run(output, {"x:0": held_out}) for item in sessions)
    error = float(np.square(wanted - given, dtype=np.float64).sum())
    spread = float(np.square(wanted - wanted.mean(axis=0), dtype=np.float64).sum())
    one = samples(batch, shape, ends, 7)
    runs = [lambda item=item: item.run(output, {"x:0": one}) for item in sessions]
    taken = time_turns(runs, turns)
    return {
        "net": name,
        "share": sum(count for node, count in products.items() if node in int8) / max(total, 1.0),
        "macs": total,
        "sqnr": 10.0 * np.log10(spread / max(error, 1e-30)),
        "fp32": float(np.median(taken[:, 0])) * 1e3,
        "speed": float(np.median(taken[:, 0] / taken[:, 1])),
        "seconds": took,
        "reasons": [(reason, count / total) for reason, count in reasons.most_common(3)],
    }


def show(row):
    """A line of the table."""
    if "error" in row:
        return "| %s | – | – | – | – | %s |" % (row["net"], row["error"])
    told = "; ".join("%.1f %% %s" % (100.0 * share, reason) for reason, share in row["reasons"] if share > 0.001)
    values = (row["net"], 100.0 * row["share"], row["sqnr"], row["fp32"], row["speed"], told.replace("|", "/"))
    return "| %s | %.1f %% | %.1f dB | %.1f ms | %.2fx | %s |" % values


def main():
    """Measure each network in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=900)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    known = [*APPLICATIONS, *OTHERS]
    if given.list:
        print("\n".join(known))
        return
    unknown = [name for name in given.nets if name not in known]
    if unknown:
        parser.error("there is no network %s; --list has them" % ", ".join(unknown))
    if given.worker:
        print(json.dumps(measure(given.nets[0], given.turns, given.batch)))
        return
    print("| network | MACs in INT8 | SQNR | FP32 | speed-up | why the rest is FP32 |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    root = Path(__file__).resolve().parents[2]
    paths = [str(root / "quantization"), str(root), os.environ.get("PYTHONPATH", "")]
    environment = dict(os.environ, TF_ENABLE_ONEDNN_OPTS="1", TF_CPP_MIN_LOG_LEVEL="2", OMP_NUM_THREADS="1")
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    for name in given.nets or known:
        command = [sys.executable, __file__, "--worker", name]
        command += ["--turns", str(given.turns), "--batch", str(given.batch)]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=given.seconds, check=False
            )
            lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
            failed = (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
            row = json.loads(lines[-1]) if lines else {"net": name, "error": failed}
        except subprocess.TimeoutExpired:
            row = {"net": name, "error": "not done in %d s" % given.seconds}
        print(show(row), flush=True)


if __name__ == "__main__":
    main()

"""Convert a graph with a peer, in its own environment: convert.py PEER FOLDER RESULT

FOLDER has fp32.pb, calibration.npy and spec.json (source, outputs, batch). Writes RESULT; the last line of what it
prints is JSON: seconds, and peak_mb of memory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np


def _graph(folder: Path):
    import tensorflow as tf

    return tf.compat.v1.GraphDef.FromString((folder / "fp32.pb").read_bytes())


def neural_compressor(folder: Path, spec: dict, images: np.ndarray, result: Path) -> None:
    """As its documentation says: static quantization, all else by default."""
    from neural_compressor.tensorflow import Model, StaticQuantConfig, quantize_model

    class Loader:
        batch_size = spec["batch"]

        def __iter__(self):
            for start in range(0, len(images), self.batch_size):
                yield images[start : start + self.batch_size], np.zeros(self.batch_size, np.int64)

    model = Model(_graph(folder))
    model.input_tensor_names, model.output_tensor_names = [spec["source"]], spec["outputs"]
    steps = -(-len(images) // spec["batch"])
    converted = quantize_model(model, StaticQuantConfig(), Loader(), calib_iteration=steps)
    result.write_bytes(converted.graph_def.SerializeToString())


def intel_quantization_1_1(folder: Path, spec: dict, _images: np.ndarray, result: Path) -> None:
    """Its API calibrates by a command of the user's, which feeds the same samples."""
    import intel_quantization.graph_converter as converter

    feeder = Path(__file__).with_name("feed_graph.py")
    command = f"{sys.executable} {feeder} {folder} {{}}"
    names = [name.partition(":")[0] for name in spec["outputs"]]
    made = converter.GraphConverter(str(folder / "fp32.pb"), str(result), [spec["source"].partition(":")[0]], names)
    made.gen_calib_data_cmds = command
    made.convert()


def onnxruntime(folder: Path, spec: dict, images: np.ndarray, result: Path) -> None:
    """tf2onnx, the shapes and fusions that quantize_static wants first, and QDQ with weights by channel."""
    import tf2onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain, ready = folder / "fp32.onnx", folder / "ready.onnx"
    tf2onnx.convert.from_graph_def(
        _graph(folder),
        input_names=[spec["source"]],
        output_names=spec["outputs"],
        opset=15,
        output_path=str(plain),
    )
    quant_pre_process(str(plain), str(ready))

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            starts = range(0, len(images), spec["batch"])
            self._feeds = iter([{spec["source"]: images[start : start + spec["batch"]]} for start in starts])

        def get_next(self):
            return next(self._feeds, None)

    # as its documentation advises: without VNNI, products of 8 bits overflow
    vnni = "vnni" in Path("/proc/cpuinfo").read_text()
    quantization.quantize_static(
        str(ready),
        str(result),
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=not vnni,
    )


def _tflite(folder: Path, spec: dict, images: np.ndarray):
    import tensorflow as tf

    names = [[spec["source"].partition(":")[0]], [name.partition(":")[0] for name in spec["outputs"]]]
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(folder / "fp32.pb"), *names, input_shapes={names[0][0]: [1, *images.shape[1:]]}
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[np.newaxis]] for row in images)
    return converter


def tflite(folder: Path, spec: dict, images: np.ndarray, result: Path) -> None:
    """Weights and activations as integers; inputs and outputs stay floats, as everywhere here."""
    result.write_bytes(_tflite(folder, spec, images).convert())


def model_compression_toolkit(folder: Path, spec: dict, images: np.ndarray, result: Path) -> None:
    """It takes Keras models; a frozen graph comes to it as the one layer that Keras can make of it."""
    import model_compression_toolkit as mct
    import tensorflow as tf

    graph_def = _graph(folder)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    names = [spec["source"], spec["outputs"][0]]
    function = wrapped.prune(*(wrapped.graph.as_graph_element(name) for name in names))
    source = tf.keras.Input(images.shape[1:])

    def call(values):  # Keras asks the function's name, and what was wrapped has none
        return function(values)

    model = tf.keras.Model(source, tf.keras.layers.Lambda(call)(source))
    quantized, _info = mct.ptq.keras_post_training_quantization(
        model, lambda: ([images[start : start + 1]] for start in range(len(images)))
    )
    layers = [layer.__class__.__name__ for layer in quantized.layers]
    if not any("Quantize" in layer and "Activation" not in layer for layer in layers):
        raise RuntimeError(f"it quantizes layers of Keras, of which a frozen graph has none: it made {layers}")
    result.write_bytes(tf.lite.TFLiteConverter.from_keras_model(quantized).convert())


def main() -> None:
    """Convert; see above."""
    peer, folder, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    spec = json.loads((folder / "spec.json").read_text())
    images = np.load(folder / "calibration.npy")
    start = time.perf_counter()
    globals()[peer](folder, spec, images, result)
    seconds = time.perf_counter() - start
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mb": int(line.split()[1]) / 1024}))


if __name__ == "__main__":
    main()

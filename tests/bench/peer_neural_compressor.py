"""Convert a graph with neural-compressor-tf; graphs_random.py and accuracy.py run this with a Python that has it.

Usage: peer_neural_compressor.py FOLDER RESULT INPUT OUTPUT BATCH PER_CHANNEL
  OUTPUT may be several, joined by commas;
  reads FOLDER/fp32.pb and calibration.npy, writes FOLDER/RESULT; the last line of output is JSON
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np


class Loader:
    """What neural-compressor takes for a data loader."""

    def __init__(self, images: np.ndarray, batch_size: int) -> None:
        self.batch_size = batch_size
        self._images = images

    def __iter__(self):
        for start in range(0, len(self._images), self.batch_size):
            batch = self._images[start : start + self.batch_size]
            yield batch, np.zeros(len(batch), np.int64)


def main() -> None:
    """Convert, and print seconds and the peak of memory in MB."""
    folder, result, source, output, batch, per_channel = sys.argv[1:]
    import tensorflow as tf
    from neural_compressor.tensorflow import Model, StaticQuantConfig, quantize_model

    graph = tf.compat.v1.GraphDef.FromString((Path(folder) / "fp32.pb").read_bytes())
    images = np.load(Path(folder) / "calibration.npy")
    start = time.perf_counter()
    model = Model(graph)
    model.input_tensor_names, model.output_tensor_names = [source], output.split(",")
    granularity = "per_channel" if per_channel == "True" else "per_tensor"
    converted = quantize_model(
        model,
        StaticQuantConfig(weight_granularity=granularity),
        Loader(images, int(batch)),
        calib_iteration=-(-len(images) // int(batch)),
    )
    seconds = time.perf_counter() - start
    (Path(folder) / result).write_bytes(converted.graph_def.SerializeToString())
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mb": int(line.split()[1]) / 1024}))


if __name__ == "__main__":
    main()

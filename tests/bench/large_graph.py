"""Wall time and peak memory of converting one large graph, read from a file and written to one.

The graph has matrices of 4096 x 4096, 67 MB each, with bias and ReLU.

Usage: large_graph.py [GIGABYTES]        1.5 by default
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

WIDTH = 4096


def write(path: str, gigabytes: float) -> None:
    """Write the graph."""
    import tensorflow as tf

    from intel_quantization.graph.io import write_graph

    random = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, WIDTH), "input")
        for _ in range(round(gigabytes * 1e9 / (4 * WIDTH * WIDTH))):
            weights = random.standard_normal((WIDTH, WIDTH)).astype(np.float32) / np.sqrt(WIDTH / 2)
            x = tf.nn.relu(tf.nn.bias_add(tf.linalg.matmul(x, weights), np.zeros(WIDTH, np.float32)))
        tf.identity(x, "output")
    write_graph(graph.as_graph_def(), path)


def convert(path: str) -> None:
    """Convert the graph, and say how long each stage took and how much memory was used at most."""
    from intel_quantization.graph_converter import GraphConverter

    times: list[tuple[str, float]] = []

    def on_stage(name: str) -> None:
        times.append((name, time.perf_counter()))

    data = np.random.RandomState(1).uniform(0, 1, (4, WIDTH)).astype(np.float32)
    conversion = GraphConverter(path, path + ".int8.pb", calibration_data=data, on_stage=on_stage, threads=1).convert()
    on_stage("end")
    print(", ".join(f"{name} {after - start:.0f} s" for (name, start), (_, after) in itertools.pairwise(times)))
    sizes = [os.path.getsize(name) / 1e9 for name in (path, path + ".int8.pb")]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    int8 = sum(row.int8 for row in conversion.op_table)
    print(f"{int8} ops, {sizes[0]:.2f} GB -> {sizes[1]:.2f} GB, peak {peak:.1f} GB, {times[-1][1] - times[0][1]:.0f} s")


def main() -> None:
    """Write in one process and convert in another, whose peak is then that of the conversion alone."""
    if len(sys.argv) == 3:
        convert(sys.argv[2])
        return
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "large.pb")
        write(path, gigabytes)
        subprocess.run([sys.executable, __file__, "convert", path], check=True)


if __name__ == "__main__":
    main()

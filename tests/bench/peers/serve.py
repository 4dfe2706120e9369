"""Run a model, in the environment of who made it: serve.py MODEL FOLDER THREADS

Reads lines: ``run IN.npy OUT.npz`` runs it on an array and writes the outputs; ``again`` runs it on the same one. Each
is answered by a line of JSON: ms, and peak_mb of memory. Says ``ready`` first.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np


def frozen(path: str, spec: dict, threads: int):
    """A frozen graph."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(Path(path).read_bytes()), name="")
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    session = tf.compat.v1.Session(graph=graph, config=config)
    return lambda values: session.run(spec["outputs"], {spec["source"]: values})


def onnx(path: str, spec: dict, threads: int):
    """An ONNX model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda values: session.run(spec["outputs"], {spec["source"]: values})


def lite(path: str, spec: dict, threads: int):
    """A TFLite model, resized to whatever batch comes."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(path, num_threads=threads)
    source = interpreter.get_input_details()[0]
    outputs = interpreter.get_output_details()
    shape: list = [None]

    def run(values):
        if shape[0] != values.shape:
            interpreter.resize_tensor_input(source["index"], values.shape)
            interpreter.allocate_tensors()
            shape[0] = values.shape
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        return [interpreter.get_tensor(each["index"]) for each in outputs]

    del spec
    return run


def main() -> None:
    """Serve; see above."""
    path, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    spec = json.loads((folder / "spec.json").read_text())
    run = {".pb": frozen, ".onnx": onnx, ".tflite": lite}[Path(path).suffix](path, spec, threads)
    answers = sys.stdout
    sys.stdout = sys.stderr
    print("ready", file=answers, flush=True)
    values = None
    for line in sys.stdin:
        words = line.split("\t")
        if words[0].strip() == "run":
            values = np.load(words[1].strip())
        start = time.perf_counter()
        found = run(values)
        taken = 1000 * (time.perf_counter() - start)
        if words[0].strip() == "run":
            np.savez(words[2].strip(), *map(np.asarray, found))
        peak = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
        print(json.dumps({"ms": taken, "peak_mb": int(peak.split()[1]) / 1024}), file=answers, flush=True)


if __name__ == "__main__":
    main()

"""Runs a frozen graph on saved inputs, with whatever TensorFlow its Python has; needs nothing else.

Usage: run_graph.py GRAPH.pb INPUTS.npz RESULTS.npz OUTPUT ...

INPUTS.npz holds one array for each run; its names are ``NUMBER|TENSOR``. RESULTS.npz gets ``NUMBER|OUTPUT``.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf


def main() -> None:
    """Run it, one thread."""
    graph_path, inputs_path, results_path = sys.argv[1:4]
    outputs = sys.argv[4:]
    graph_def = tf.compat.v1.GraphDef()
    with open(graph_path, "rb") as stream:
        graph_def.ParseFromString(stream.read())
    results = {}
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session, np.load(inputs_path) as inputs:
        tf.import_graph_def(graph_def, name="")
        for key in inputs.files:
            number, _, tensor = key.partition("|")
            found = session.run({name: name for name in outputs}, {tensor: inputs[key]})
            results.update({number + "|" + name: value for name, value in found.items()})
    np.savez(results_path, **results)
    print("TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()

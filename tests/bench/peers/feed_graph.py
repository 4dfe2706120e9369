"""The inference command that intel-quantization 1.1 calibrates with: feed_graph.py FOLDER GRAPH"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def main() -> None:
    """Run the graph over the calibration samples."""
    folder, path = Path(sys.argv[1]), Path(sys.argv[2])
    spec = json.loads((folder / "spec.json").read_text())
    images = np.load(folder / "calibration.npy")
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            for start in range(0, len(images), spec["batch"]):
                session.run(spec["outputs"], {spec["source"]: images[start : start + spec["batch"]]})


if __name__ == "__main__":
    main()

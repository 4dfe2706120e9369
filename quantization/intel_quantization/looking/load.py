"""``python -m intel_quantization.looking.load FOLDER``: load graph.pb, run it once, and write what that took."""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
import time

from tensorflow.core.framework import graph_pb2

from intel_quantization.child import end_with_parent
from intel_quantization.measure.runner import Runner


def main(folder: str) -> None:
    """Write loaded.json: ms from reading the file to the first answer, and the growth of the process in bytes."""
    end_with_parent()
    with open(os.path.join(folder, "feed.pickle"), "rb") as stream:
        feed, outputs, threads = pickle.load(stream)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    graph = graph_pb2.GraphDef()
    with open(os.path.join(folder, "graph.pb"), "rb") as stream:
        graph.ParseFromString(stream.read())
    with Runner(graph, outputs, threads) as runner:
        runner.run(feed)
        taken = 1000.0 * (time.perf_counter() - start)
    peak = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    with open(os.path.join(folder, "loaded.json"), "w", encoding="utf-8") as stream:
        json.dump({"ms": taken, "peak": peak}, stream)


if __name__ == "__main__":
    main(sys.argv[1])

"""``python -m intel_quantization.looking.serve FOLDER SECONDS CPUS``: one instance that serves a graph, pinned.

It loads, runs a few times, says READY, waits for a line, serves for so many seconds, and writes the milliseconds of
each run as JSON. What it is to run under (threads, allocator, oneDNN) its environment says, as a server's would.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from typing import Any

from intel_quantization.child import end_with_parent

READY = "ready"
GRAPH, FEED = "graph.pb", "feed.pickle"
WARM_UP = 3
LEAST_RUNS = 5


def main(folder: str, seconds: float, cpus: str) -> None:
    """Serve; see above."""
    end_with_parent()
    os.sched_setaffinity(0, [int(each) for each in cpus.split(",")])
    import tensorflow as tf  # only now: it counts the CPUs that it may use when it is imported
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    with open(os.path.join(folder, GRAPH), "rb") as stream:
        graph_def.ParseFromString(stream.read())
    with open(os.path.join(folder, FEED), "rb") as stream:
        feed, outputs = pickle.load(stream)  # written by the process that started this one
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=int(os.environ["TF_NUM_INTRAOP_THREADS"]),
        inter_op_parallelism_threads=int(os.environ["TF_NUM_INTEROP_THREADS"]),
    )
    taken: list[Any] = []
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        fetches = [graph.get_tensor_by_name(name) for name in outputs]
        for _ in range(WARM_UP):
            session.run(fetches, feed)
        print(READY, flush=True)
        sys.stdin.readline()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(taken) < LEAST_RUNS:
            start = time.perf_counter()
            session.run(fetches, feed)
            taken.append(1000.0 * (time.perf_counter() - start))
    print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])

"""Running a GraphDef, the same way in TensorFlow 1.15 and 2."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError


def open_session(graph_def: graph_pb2.GraphDef, threads: int = 0, as_it_is: bool = False) -> tf.compat.v1.Session:
    """A session on a graph of its own; close it.

    Args:
        graph_def: imported without a prefix.
        threads: threads within an op, 0 for as many as there are cores.
        as_it_is: run the graph without Grappler, each of whose optimizers copies all the weights, and op after op.

    Raises:
        BadInputError: this TensorFlow cannot import the graph (unknown op, wrong types).
    """
    graph = tf.Graph()
    with graph.as_default():
        try:
            tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError, tf.errors.OpError) as error:
            message = "TensorFlow %s cannot import the graph: %s" % (tf.__version__, first_line(error))
            raise BadInputError(message) from error
    trim_memory()  # of the copies that the import needed
    return tf.compat.v1.Session(graph=graph, config=session_config(threads, as_it_is))


def session_config(threads: int = 0, as_it_is: bool = False) -> tf.compat.v1.ConfigProto:
    """How a session runs; see :func:`open_session`."""
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    if as_it_is:
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        # In the caller's thread: a pool runs what does not fit into its queue of 1024 at once, from within what
        # was running, and with 10,000 probes that are ready its stack overflowed.
        config.inter_op_parallelism_threads = -1
    return config


def run_graph(graph_def: graph_pb2.GraphDef, feed: Dict[str, Any], fetches: Sequence[str]) -> List[np.ndarray]:
    """Import a graph, run it once and give the values of the fetched tensors.

    Raises:
        BadInputError: see :func:`open_session`.
    """
    with open_session(graph_def) as session:
        values = session.run(list(fetches), feed_dict=feed)
    return [np.asarray(value) for value in values]


def trim_memory() -> None:
    """Give back to the system what the C library keeps of freed memory; copies of large graphs leave much of it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)


def first_line(error: BaseException) -> str:
    """The first line of an exception's text that says something; TensorFlow's go on for pages."""
    text = str(getattr(error, "message", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0] == "Graph execution error:":
        # TensorFlow 2 puts its own stack ahead of the message: "Node: 'name'" is that stack's last line
        starts = [number + 1 for number, line in enumerate(lines[:-1]) if line.startswith("Node: ")]
        lines = lines[starts[0] :] if starts else lines[1:]
    return lines[0] if lines else type(error).__name__

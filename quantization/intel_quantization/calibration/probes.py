"""Probes: leaf nodes that show a graph's tensors to Python while it runs.

A tensor of a loop cannot be fetched, but a node beside it runs as often as it is made, and not at all
in a branch that is not taken. Nor does a probe keep a tensor alive longer than it looks at it.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.graph import tensors

Look = Callable[[np.ndarray], None]


def add_probes(graph_def: graph_pb2.GraphDef, looks: Dict[str, Look]) -> Tuple[tf.Graph, List[str]]:
    """Add a probe beside some float32 tensors.

    Args:
        graph_def: edited in place.
        looks: tensor name -> what to call with its value each time there is one. The array is TensorFlow's
            own memory: neither write into it nor keep it.

    Returns:
        What keeps the probes working as long as it is referred to, and their names: run these as operations,
        which works for those inside of loops and branches, too.
    """
    names = _free_names((node.name for node in graph_def.node), list(looks))
    keeper = tf.Graph()
    for (tensor, look), name in zip(looks.items(), names):
        node = graph_def.node.add()
        node.CopyFrom(_register(keeper, look).node_def)
        node.name = name
        node.device = ""
        del node.input[:]
        node.input.append(tensors.canonical(tensor))
    return keeper, names


def _register(keeper: tf.Graph, look: Look) -> tf.Operation:
    """A PyFunc with the token under which TensorFlow knows ``look``; the function lives as long as ``keeper``."""

    def function(value: np.ndarray) -> List[np.ndarray]:
        look(value)
        return []

    with keeper.as_default():
        source = tf.compat.v1.placeholder(tf.float32)
        tf.numpy_function(function, [source], [])
    return source.consumers()[0]


def _free_names(taken: Iterable[str], wanted: Sequence[str]) -> List[str]:
    used = set(taken)
    result = []
    for number, tensor in enumerate(wanted):
        name = "calibration/%d/%s" % (number, tensor.replace(":", "_"))
        while name in used:
            name += "_"
        result.append(name)
    return result

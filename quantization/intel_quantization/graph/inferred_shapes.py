"""The static shapes of a graph's tensors, as TensorFlow infers them."""

from __future__ import annotations

from typing import List, Optional

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.reach import find_upstream

Shape = Optional[List[Optional[int]]]
"""Of a tensor in every run, None for what differs; None where not even the number of dimensions is known."""


class InferredShapes:
    """Those of all tensors, inferred when the first is asked for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._imported: Optional[tf.Graph] = None

    def __call__(self, tensor: str) -> Shape:
        """The shape of a tensor; None if it was not in the graph when the first was asked for."""
        if self._imported is None:
            self._imported = _import(self._graph)
        try:
            return _read_shape(self._imported, tensor)
        except KeyError:
            return None


SHAPE_OPS = ("Shape", "ShapeN", "Size", "Rank")
"""What is known of a tensor without its values."""


def infer_shape(graph: Graph, tensor: str) -> Shape:
    """The shape of one tensor; nothing is imported but what it is made of."""
    needed = find_upstream(graph, [tensors.node_of(tensor)])
    part = graph_pb2.GraphDef(library=graph.library)
    part.node.extend(node for name, node in graph.nodes.items() if name in needed)
    return _read_shape(_import(Graph(part)), tensor)


def _import(graph: Graph) -> tf.Graph:
    # to_graph_def: a node that is to be where one is that is not there would not be imported
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph.to_graph_def(), name="")
    return imported


def _read_shape(imported: tf.Graph, tensor: str) -> Shape:
    shape = imported.get_tensor_by_name("%s:%d" % tensors.split(tensor)).shape
    return None if shape.rank is None else [tf.compat.v1.dimension_value(size) for size in shape]
